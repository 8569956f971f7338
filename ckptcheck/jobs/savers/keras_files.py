"""`model.save` and `model.save_weights` over the last checkpoint, and `ModelCheckpoint`."""

import keras

from ckptcheck.jobs.savers.commit import commit_file
from ckptcheck.jobs.savers.keras_training import data, network, state_of, train_and_save

MODEL, WEIGHTS = "last.keras", "last.weights.h5"


def save(model, folder):
    model.save(folder / MODEL)


def save_fixed(model, folder):
    commit_file(folder / MODEL, model.save)


def restore(folder):
    path = folder / MODEL
    return state_of(keras.models.load_model(path)) if path.exists() else None


def save_weights(model, folder):
    model.save_weights(folder / WEIGHTS)


def save_weights_fixed(model, folder):
    commit_file(folder / WEIGHTS, model.save_weights)


def restore_weights(folder):
    if not (folder / WEIGHTS).exists():
        return None
    model = network()
    model.load_weights(folder / WEIGHTS)
    return state_of(model)


class Synced(keras.callbacks.Callback):
    """Saves the model after each epoch under a temporary name, syncs it, and renames it."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def on_epoch_end(self, epoch, logs=None):
        save_fixed(self.model, self.folder)


def _fit(callback, saved):
    after = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: saved(state_of(model)),
    )
    model = network()
    model.fit(*data(), epochs=2, batch_size=16, callbacks=[callback, after], verbose=0)


def checkpoint(folder, saved):
    _fit(keras.callbacks.ModelCheckpoint(folder / MODEL), saved)


def checkpoint_fixed(folder, saved):
    _fit(Synced(folder), saved)


SAVERS = {
    "keras-save": (train_and_save(save), restore),
    "keras-save-fixed": (train_and_save(save_fixed), restore),
    "keras-save-weights": (train_and_save(save_weights), restore_weights),
    "keras-save-weights-fixed": (train_and_save(save_weights_fixed), restore_weights),
    "model-checkpoint": (checkpoint, restore),
    "model-checkpoint-fixed": (checkpoint_fixed, restore),
}
