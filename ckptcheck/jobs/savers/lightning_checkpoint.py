"""Lightning's `ModelCheckpoint` with a last checkpoint, and `fit(ckpt_path="last")`.

Lightning writes a checkpoint into the folder for temporary files, and moves it from there: by a
rename on one file system, by a copy from one to another.
"""

import tempfile
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import nn
from torch.utils.data import DataLoader

from ckptcheck.jobs.savers.commit import commit_file
from ckptcheck.jobs.savers.torch_training import state_of


class Module(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))

    def training_step(self, batch, _):
        return nn.functional.mse_loss(self.model(batch), batch[:, :1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


class Synced(TorchCheckpointIO):
    """Writes each checkpoint under a temporary name, and renames it once it is on disk."""

    def save_checkpoint(self, checkpoint, path, storage_options=None):
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        commit_file(place, lambda temporary: torch.save(checkpoint, temporary))


class Enough(Exception):
    """Ends the training."""


class Seen(Callback):
    """Calls `saved` with the state after each save, which an epoch ends with."""

    def __init__(self, saved):
        self.saved = saved

    def on_train_epoch_start(self, trainer, module):
        if trainer.current_epoch:
            self.saved(_state(trainer, module))
        if trainer.current_epoch == 2:
            raise Enough


class Restored(Callback):
    """Keeps the state that the training goes on from."""

    state = None

    def on_train_start(self, trainer, module):
        if trainer.global_step:
            self.state = _state(trainer, module)
        raise Enough


def _state(trainer, module):
    epoch = {"epoch": trainer.current_epoch}
    return state_of(module, trainer.optimizers[0], trainer.global_step) | epoch


def _fit(folder, callback, plugins):
    trainer = lightning.Trainer(
        max_epochs=9,
        accelerator="cpu",
        callbacks=[callback, ModelCheckpoint(folder, save_last=True)],
        plugins=plugins,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    try:
        trainer.fit(Module(), DataLoader(torch.randn(16, 8), batch_size=16), ckpt_path="last")
    except Enough:
        return


def _fit_with_temporary(temporary, folder, saved):
    before, tempfile.tempdir = tempfile.tempdir, str(temporary)
    try:
        _fit(folder, Seen(saved), [])
    finally:
        tempfile.tempdir = before


def stock(folder, saved):
    # In the folder itself, where the trace sees it; it is a rename in any folder of this disk.
    _fit_with_temporary(folder, folder, saved)


def other_disk(folder, saved):
    memory = Path("/dev/shm")
    if not memory.exists() or memory.stat().st_dev == folder.stat().st_dev:
        raise OSError("There is no second file system at /dev/shm.")
    _fit_with_temporary(memory, folder, saved)


def fixed(folder, saved):
    _fit(folder, Seen(saved), [Synced()])


def restore(folder):
    callback = Restored()
    _fit(folder, callback, [])
    return callback.state


SAVERS = {
    "lightning": (stock, restore),
    "lightning-other-disk": (other_disk, restore),
    "lightning-fixed": (fixed, restore),
}
