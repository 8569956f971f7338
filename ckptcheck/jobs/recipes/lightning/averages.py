"""A callback with moving averages of the weights, which no hook saves."""

import sys
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset


class Averages(L.Callback):
    """Moving averages of the weights."""

    def on_fit_start(self, trainer, module):
        average = get_ema_multi_avg_fn(0.9)
        self.averaged = AveragedModel(module.net, multi_avg_fn=average)

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.averaged.update_parameters(module.net)


def averages(fixed):
    return EMAWeightAveraging(decay=0.9) if fixed else Averages()


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
        callbacks=[averages(fixed), ModelCheckpoint(folder, save_last=True)],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    last = folder / "last.ckpt"
    trainer.fit(Regression(), loader, ckpt_path=last if last.exists() else None)


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
