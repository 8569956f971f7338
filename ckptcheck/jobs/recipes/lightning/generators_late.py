"""A callback restores the generator in on_train_start: the first order is drawn before."""

import sys
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Generators(L.Callback):
    """Keeps the state of the random generator in the checkpoint."""

    def __init__(self, fixed):
        self.fixed, self.saved = fixed, None

    def state_dict(self):
        return {"torch": torch.get_rng_state()}

    def load_state_dict(self, state):
        self.saved = state["torch"]

    def on_fit_start(self, trainer, module):
        if self.fixed and self.saved is not None:
            torch.set_rng_state(self.saved)

    def on_train_start(self, trainer, module):
        if not self.fixed and self.saved is not None:
            torch.set_rng_state(self.saved)


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
    loader = DataLoader(data, batch_size=8, shuffle=True)
    save = ModelCheckpoint(folder, save_last=True)
    trainer = L.Trainer(
        max_epochs=4,
        accelerator="cpu",
        callbacks=[save, Generators(fixed)],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    last = folder / "last.ckpt"
    trainer.fit(Regression(), loader, ckpt_path=last if last.exists() else None)


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
