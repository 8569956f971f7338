"""Keras' `BackupAndRestore`, which resumes at the beginning of `fit`."""

from functools import partial

import keras

from ckptcheck.jobs.savers.commit import commit_folder, newest
from ckptcheck.jobs.savers.keras_training import data, network, state_of

LAST = "last.weights.h5"


class Enough(Exception):
    """Ends the training."""


class Seen(keras.callbacks.Callback):
    """Calls `saved` with the state after each save, which an epoch ends with."""

    def __init__(self, saved):
        super().__init__()
        self.saved = saved

    def on_epoch_begin(self, epoch, logs=None):
        if epoch:
            self.saved(state_of(self.model) | {"epoch": epoch})
        if epoch == 2:
            raise Enough


class Restored(keras.callbacks.Callback):
    """Keeps the state that the training goes on from."""

    state = None

    def on_epoch_begin(self, epoch, logs=None):
        if epoch or self.model.optimizer.iterations.numpy():
            self.state = state_of(self.model) | {"epoch": epoch}
        raise Enough


class Committed(keras.callbacks.Callback):
    """Adds a folder with the weights of each epoch, then deletes the earlier ones."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def on_epoch_end(self, epoch, logs=None):
        commit_folder(self.folder, epoch + 1, lambda path: self.model.save_weights(path / LAST))


def _fit(callbacks, model, first=0):
    try:
        model.fit(
            *data(),
            initial_epoch=first,
            epochs=9,
            batch_size=16,
            callbacks=callbacks,
            verbose=0,
        )
    except Enough:
        return


def stock(folder, saved, **options):
    backup = keras.callbacks.BackupAndRestore(folder / "backup", **options)
    _fit([backup, Seen(saved)], network())


def restore(folder, **options):
    seen = Restored()
    backup = keras.callbacks.BackupAndRestore(folder / "backup", **options)
    _fit([backup, seen], network())
    return seen.state


def fixed(folder, saved):
    _fit([Committed(folder), Seen(saved)], network())


def restore_fixed(folder):
    path = newest(folder)
    if path is None:
        return None
    seen, model = Restored(), network()
    model.load_weights(path / LAST)
    _fit([seen], model, first=int(path.name.removeprefix("step-")))
    return seen.state


SAVERS = {
    "backup-and-restore": (stock, restore),
    "backup-and-restore-double": (
        partial(stock, double_checkpoint=True),
        partial(restore, double_checkpoint=True),
    ),
    "backup-and-restore-fixed": (fixed, restore_fixed),
}
