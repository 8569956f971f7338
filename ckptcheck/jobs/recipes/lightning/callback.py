"""A callback that warms the learning rate up, and has no state_dict."""

import sys
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset


class WarmUp(L.Callback):
    """Raises the learning rate in each of the first 15 steps."""

    steps = 0

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        self.steps += 1
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = 1e-2 * min(1.0, self.steps / 15)


class WarmUpSaved(WarmUp):
    """The same, with its count in the checkpoint."""

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state):
        self.steps = state["steps"]


class Regression(L.LightningModule):
    """A network that learns a product."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))

    def training_step(self, batch, batch_idx):
        inputs, targets = batch
        return nn.functional.mse_loss(self.net(inputs), targets)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=1e-2)


def main(folder, fixed):
    L.seed_everything(0)
    x = torch.randn(40, 8)
    data = TensorDataset(x, x[:, :1] * x[:, 1:2])
    sampler = DistributedSampler(data, num_replicas=1, rank=0)  # the order follows from the epoch
    loader = DataLoader(data, batch_size=8, sampler=sampler)
    trainer = L.Trainer(
        max_epochs=4,
        accelerator="cpu",
        callbacks=[WarmUpSaved() if fixed else WarmUp(), ModelCheckpoint(folder, save_last=True)],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    last = folder / "last.ckpt"
    trainer.fit(Regression(), loader, ckpt_path=last if last.exists() else None)


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
