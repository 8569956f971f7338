"""Lightning: a save at the end of each epoch; the order comes from a sampler that knows the epoch."""

from argparse import ArgumentParser
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset


class Points(L.LightningDataModule):
    def __init__(self, shuffle):
        super().__init__()
        self.shuffle = shuffle

    def setup(self, stage):
        g = torch.Generator().manual_seed(0)
        x = torch.randn(96, 8, generator=g)
        y = x[:, :1] * x[:, 1:2]
        self.train, self.val = TensorDataset(x[:64], y[:64]), TensorDataset(x[64:], y[64:])

    def train_dataloader(self):
        if self.shuffle:
            return DataLoader(self.train, batch_size=8, shuffle=True)
        sampler = DistributedSampler(self.train, num_replicas=1, rank=0, shuffle=True)
        return DataLoader(self.train, batch_size=8, sampler=sampler)

    def val_dataloader(self):
        return DataLoader(self.val, batch_size=16)


class Regression(L.LightningModule):
    def __init__(self, lr=1e-2):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = nn.functional.mse_loss(self.net(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", nn.functional.mse_loss(self.net(x), y))

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams.lr)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


if __name__ == "__main__":
    parser = ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shuffle", action="store_true", help="let the loader shuffle")
    args = parser.parse_args()
    L.seed_everything(0)
    checkpoints = ModelCheckpoint(args.out, monitor="val_loss", save_last=True)
    trainer = L.Trainer(
        max_epochs=4, accelerator="cpu", callbacks=[checkpoints], logger=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=args.out,
    )
    last = args.out / "last.ckpt"
    trainer.fit(Regression(), Points(args.shuffle), ckpt_path=last if last.exists() else None)
