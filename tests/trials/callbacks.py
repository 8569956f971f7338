"""Jobs whose callbacks remember something: in a variable, in arrays, or for one call of `fit`."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.trials.base import F


class Stops(keras.callbacks.EarlyStopping):
    """Keeps three of its numbers in a variable."""

    def __init__(self, memory: Any, **settings: Any) -> None:
        super().__init__(patience=9, restore_best_weights=True, **settings)
        self.memory = memory

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        best, wait, best_epoch = np.array(self.memory)
        self.best, self.wait, self.best_epoch = float(best), int(wait), int(best_epoch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        self.memory.assign([self.best, self.wait, self.best_epoch])


class KeepsNumbers(F):
    """The loss grows by the monitor's account: the first weights stay the best, and are lost."""

    restores = ("mine",)
    first = -np.inf
    mode = "max"

    def model(self) -> Any:
        self.memory = tf.Variable([self.first, 0, 0], trainable=False, name="memory")
        return super().model()

    def stops(self) -> Any:
        return Stops(self.memory, monitor="val_loss", mode=self.mode)

    def mine(self, callbacks: Any) -> Any:
        return [self.stops(), *callbacks]

    def own(self) -> Any:
        return tf.train.Checkpoint(
            model=self.live, optimizer=self.live.optimizer, memory=self.memory
        )

    def save(self, folder: Path, step: int) -> None:
        tf.train.CheckpointManager(self.own(), folder, max_to_keep=None).save()

    def restore(self, folder: Path, restore: str) -> None:
        self.own().read(tf.train.latest_checkpoint(folder))
        self.initial_epoch = self.epochs_done


class UpdatesAfterTheSave(KeepsNumbers):
    """The callback comes after the one that saves."""

    first = np.inf
    mode = "min"

    def mine(self, callbacks: Any) -> Any:
        return [*callbacks, self.stops()]


class NeverImproves(KeepsNumbers):
    """No loss is better than the first value, which is infinite; a count beside it was not saved."""

    def stops(self) -> Any:
        return Stops(self.memory, monitor="val_loss", mode="min")

    def restore(self, folder: Path, restore: str) -> None:
        super().restore(folder, restore)
        self.memory.assign([self.first, 7, 7])


class InCallsOfFit(F):
    """A call of `fit` for each epoch: BackupAndRestore deletes its backup at the end of each."""

    restores = ("backup",)

    def fit(self, model: Any, callbacks: Any, initial_epoch: int) -> None:
        for epoch in range(initial_epoch, 5):
            model.fit(
                self.data(),
                epochs=epoch + 1,
                initial_epoch=epoch,
                callbacks=callbacks,
                validation_data=self.data(),
            )


class InCallsOfFitToo(InCallsOfFit):
    """The same beside a file that stays."""

    restores = ("keras", "backup")  # type: ignore[assignment]


class ShufflesAnew(F):
    """A new order in each epoch, and the first one again after a restart at an epoch's end."""

    restores = ("keras",)

    def data(self) -> Any:
        return super().data().unbatch().shuffle(64, seed=1).batch(8)

    def validation(self) -> Any:
        return super().data()
