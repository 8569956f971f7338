"""The weights of the last checkpoint, and a new Trainer: everything but the weights begins anew."""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import Trainer, TrainingArguments, set_seed
from transformers.trainer_utils import get_last_checkpoint


def train(trainer, last, fixed):
    if last is not None and not fixed:
        weights = load_file(Path(last) / "model.safetensors")
        trainer.model.load_state_dict(weights)
        last = None
    trainer.train(resume_from_checkpoint=last)


class Regression(nn.Module):
    """A network that learns a product; the Trainer reads its loss."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, inputs, labels):
        return {"loss": nn.functional.mse_loss(self.net(inputs), labels)}


def main(folder, fixed):
    set_seed(0)
    x = torch.randn(40, 8)
    data = [{"inputs": row, "labels": row[:1] * row[1:2]} for row in x]
    arguments = TrainingArguments(
        folder,
        num_train_epochs=4,
        per_device_train_batch_size=8,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
        save_strategy="epoch",
    )
    trainer = Trainer(Regression(), arguments, train_dataset=data)
    train(trainer, get_last_checkpoint(folder), fixed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
