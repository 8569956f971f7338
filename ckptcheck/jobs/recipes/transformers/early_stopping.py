"""EarlyStoppingCallback: how long it has waited is saved, and not restored by default."""

import sys
from pathlib import Path

import torch
from torch import nn
from transformers import EarlyStoppingCallback, Trainer, TrainingArguments, set_seed
from transformers.trainer_utils import get_last_checkpoint


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
    # What is learned makes the validation worse, from the first epoch on.
    other = [{"inputs": each["inputs"], "labels": -each["labels"]} for each in data[:8]]
    arguments = TrainingArguments(
        folder,
        num_train_epochs=8,
        per_device_train_batch_size=8,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
        save_strategy="epoch",
        eval_strategy="epoch",
        load_best_model_at_end=True,
        learning_rate=1e-2,
        restore_callback_states_from_checkpoint=fixed,
    )
    trainer = Trainer(
        Regression(),
        arguments,
        train_dataset=data,
        eval_dataset=other,
        callbacks=[EarlyStoppingCallback(early_stopping_patience=3)],
    )
    trainer.train(resume_from_checkpoint=get_last_checkpoint(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
