"""Defects planted in the shipped TF1 graph job."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from ckptcheck.job import Restored
from ckptcheck.jobs.bn_nn import BatchNormNN
from ckptcheck.jobs.options import EmaOptions

tf1 = tf.compat.v1


class Short(BatchNormNN):
    @property
    def restores(self) -> Sequence[str]:
        return ("saver",)

    def __init__(self) -> None:
        super().__init__(EmaOptions(batch_size=128))


class InitialisedAfter(Short):
    """Runs the initialiser after the restore."""

    def restore(self, folder: Path, restore: str) -> Restored:
        restored = super().restore(folder, restore)
        self.session.run(self.initialise)
        return restored


class SavedTrainable(Short):
    """Saves with a Saver over the trainable variables."""

    @property
    def restores(self) -> Sequence[str]:
        return ("saver", "trainable")

    def save(self, folder: Path, step: int) -> None:
        self.graph._unsafe_unfinalize()
        with self.graph.as_default():
            saver = tf1.train.Saver(tf1.trainable_variables(), save_relative_paths=True)
            saver.save(
                self.session, str(folder / "model.ckpt"), global_step=step, write_meta_graph=False
            )


class NoUpdates(Short):
    """Creates the update op of the moving averages, but never runs it."""

    def updates(self) -> Any:
        return None
