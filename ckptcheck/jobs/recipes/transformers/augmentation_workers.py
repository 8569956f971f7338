"""Random augmentation in two workers, saved within an epoch: their seeds are drawn anew."""

import sys
from pathlib import Path

import torch
from torch import nn
from transformers import Trainer, TrainingArguments, set_seed
from transformers.trainer_utils import get_last_checkpoint


class Augmented(torch.utils.data.Dataset):
    """Rows with noise, drawn as they are read."""

    def __init__(self, rows, fixed):
        self.rows, self.fixed = rows, fixed

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        noise = torch.Generator().manual_seed(index) if self.fixed else None
        row = self.rows[index] + 0.1 * torch.randn(8, generator=noise)
        return {"inputs": row, "labels": row[:1] * row[1:2]}


class Regression(nn.Module):
    """A network that learns a product; the Trainer reads its loss."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, inputs, labels):
        return {"loss": nn.functional.mse_loss(self.net(inputs), labels)}


def main(folder, fixed):
    set_seed(0)
    data = Augmented(torch.randn(40, 8), fixed)
    arguments = TrainingArguments(
        folder,
        num_train_epochs=4,
        per_device_train_batch_size=8,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
        save_strategy="steps",
        save_steps=3,
        dataloader_num_workers=2,
    )
    trainer = Trainer(Regression(), arguments, train_dataset=data)
    trainer.train(resume_from_checkpoint=get_last_checkpoint(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
