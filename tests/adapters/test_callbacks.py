"""The state of Keras callbacks that changes the training."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from ckptcheck.adapters.tensorflow.callbacks import decisive
from ckptcheck.kinds import Kind
from ckptcheck.run.python_state import attribute_tensors


class Mine(keras.callbacks.EarlyStopping):  # type: ignore[misc]
    """A subclass has the names of its Keras class."""


class Job:
    """Shows its callbacks as `FitJob` does."""

    def __init__(self, *callbacks: Any) -> None:
        self.callbacks = callbacks

    def remembers(self) -> Mapping[str, Any]:
        return {type(callback).__name__: callback for callback in self.callbacks}

    def decisive(self) -> Mapping[str, str]:
        return decisive(self.callbacks)


def test_decisive_attributes() -> None:
    plateau, stopping = keras.callbacks.ReduceLROnPlateau(), Mine()
    plateau.best, plateau.wait, plateau.cooldown_counter = 0.5, 2, 1
    stopping.best, stopping.wait, stopping.best_epoch, stopping.stopped_epoch = None, 3, 4, 0
    state = attribute_tensors(Job(plateau, stopping, keras.callbacks.CSVLogger("unused.csv")))
    assert {tensor.kind for tensor in state.values()} == {Kind.PYTHON}
    assert {tensor.value.dtype for tensor in state.values()} == {np.dtype(np.float64)}
    assert {name: float(tensor.value) for name, tensor in state.items()} == {
        "callbacks/ReduceLROnPlateau/best": 0.5,
        "callbacks/ReduceLROnPlateau/wait": 2,
        "callbacks/ReduceLROnPlateau/cooldown_counter": 1,
        "callbacks/EarlyStopping/best": np.inf,  # None: no best value yet
        "callbacks/EarlyStopping/wait": 3,
        "callbacks/EarlyStopping/best_epoch": 4,
        "callbacks/EarlyStopping/stopped_epoch": 0,
        "callbacks/EarlyStopping/best_weights": np.inf,
    }


def test_the_best_weights_are_compared_by_their_digest() -> None:
    def best_weights(weights: Any) -> Any:
        stopping = keras.callbacks.EarlyStopping()
        stopping.best, stopping.best_epoch, stopping.best_weights = 1.0, 0, weights
        return attribute_tensors(Job(stopping))["callbacks/EarlyStopping/best_weights"].value

    kept = best_weights([np.ones(2), np.zeros((2, 2))])
    assert kept.dtype == np.dtype("U32")
    assert kept == best_weights([np.ones(2), np.zeros((2, 2))])
    for other in ([np.ones(2), np.zeros(4)], [np.zeros((2, 2)), np.ones(2)], [np.ones(2)]):
        assert kept != best_weights(other)
