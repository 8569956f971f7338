"""What callbacks of Keras remember."""

import keras
import numpy as np

from ckptcheck.adapters.tensorflow.fit import remembered
from ckptcheck.kinds import Kind


class Mine(keras.callbacks.EarlyStopping):  # type: ignore[misc]
    """A subclass is known by the class of Keras that it is of."""


def test_what_they_remember() -> None:
    plateau, stopping = keras.callbacks.ReduceLROnPlateau(), Mine()
    plateau.best, plateau.wait, plateau.cooldown_counter = 0.5, 2, 1
    stopping.best, stopping.wait, stopping.best_epoch, stopping.stopped_epoch = None, 3, 4, 0
    state = remembered([plateau, stopping, keras.callbacks.CSVLogger("unused.csv")])
    assert {tensor.kind for tensor in state.values()} == {Kind.PYTHON}
    assert {name: float(tensor.value) for name, tensor in state.items()} == {
        "callbacks/ReduceLROnPlateau/best": 0.5,
        "callbacks/ReduceLROnPlateau/wait": 2,
        "callbacks/ReduceLROnPlateau/cooldown_counter": 1,
        "callbacks/EarlyStopping/best": np.inf,  # nothing was seen yet
        "callbacks/EarlyStopping/wait": 3,
        "callbacks/EarlyStopping/best_epoch": 4,
        "callbacks/EarlyStopping/stopped_epoch": 0,
    }
