"""Predictions of restores."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckptcheck.filetools.forecast import Meeting
from ckptcheck.filetools.inspect import inspect
from tests.checkpoints.bundles import Value, write
from tests.filetools.differing import drawn
from tests.filetools.saved import SAVED


def meetings(folder: Path, tensors: dict[str, Value]) -> tuple[Meeting, ...]:
    return inspect(write(folder / "model.ckpt", tensors)).meetings


def test_predicted_restores(tmp_path: Path) -> None:
    assert [(each.restore, each.sentence) for each in meetings(tmp_path, SAVED)] == [
        ("tf.train.Saver()", "restores every tensor"),
        (
            "ema.variables_to_restore()",
            "raises: bn/beta/ExponentialMovingAverage and 1 more are not in the checkpoint",
        ),
        (
            "tf.trainable_variables()",
            "leaves out 2 weights, 3 moving statistics, 1 shadow, 5 slots, 1 counter, 1 hyperparameter and 1 other tensor",
        ),
    ]


def test_averages_of_all_weights(tmp_path: Path) -> None:
    tensors: dict[str, Value] = {name: drawn(3, 3) for name in ("w", "w/ExponentialMovingAverage")}
    assert [each.sentence for each in meetings(tmp_path, tensors)][1:] == [
        "loads averages into 1 weight; leaves out the weights' own values and shadows",
        "leaves out 1 shadow",
    ]


def test_weights_alone(tmp_path: Path) -> None:
    """A Saver of trainable variables leaves out the program's moving statistics."""
    tensors: dict[str, Value] = {
        "net/batch_norm/gamma": drawn(3),
        "net/batch_norm/beta": drawn(3),
        "LayerNorm/gamma": drawn(3),
    }
    assert [each.sentence for each in meetings(tmp_path, tensors)] == [
        "may raise: net/batch_norm/moving_mean and 1 more are not in the checkpoint",
        "may raise: LayerNorm/gamma/ExponentialMovingAverage and 2 more are not in the checkpoint",
        "restores every tensor",
    ]
    assert len(meetings(tmp_path, {"w": drawn(2)})[1].missing) == 1


# --- Keras files, against Keras itself ----------------------------------------------------------

WHOLE = ("keras.models.load_model()", "restores every tensor")
UNBUILT = (
    "load_weights(), optimizer not built",
    "leaves out 4 slots, 1 counter and 1 hyperparameter",
)
BUILT = ("load_weights(), optimizer built", "restores every tensor")
OF_HDF5 = ("load_weights()", "leaves out 4 slots, 1 counter and 1 hyperparameter")
FILES = {
    "model.keras": [WHOLE, UNBUILT, BUILT],
    "model.weights.h5": [UNBUILT, BUILT],
    "model.h5": [(WHOLE[0], "leaves out 4 slots"), OF_HDF5],
}


def small() -> Any:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.5), keras.losses.MeanSquaredError())
    return model


def built() -> Any:
    model = small()
    model.optimizer.build(model.trainable_variables)
    return model


def loaded(path: Path, restore: str) -> Any:
    keras = pytest.importorskip("keras")
    if restore == WHOLE[0]:
        return keras.models.load_model(path)
    model = built() if restore == BUILT[0] else small()
    model.load_weights(path)
    return model


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FILES)
def test_keras_restores_what_is_predicted(name: str, tmp_path: Path) -> None:
    model = small()
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    save: Callable[[str], Any] = model.save_weights if "weights" in name else model.save
    save(str(tmp_path / name))
    predicted = inspect(tmp_path / name).meetings
    assert [(each.restore, each.sentence) for each in predicted] == FILES[name]
    wanted = [variable.numpy() for variable in model.optimizer.variables]
    for each in predicted:
        restored = loaded(tmp_path / name, each.restore)
        assert np.array_equal(restored.weights[0].numpy(), model.weights[0].numpy())
        got = [variable.numpy() for variable in restored.optimizer.variables]
        is_whole = len(got) == len(wanted) and all(map(np.array_equal, got, wanted))
        assert is_whole == (each.sentence == "restores every tensor")


@pytest.mark.filterwarnings("ignore")
def test_keras_weights_without_an_optimizer(tmp_path: Path) -> None:
    model = small()
    model.optimizer = None
    model.save_weights(str(tmp_path / "model.weights.h5"))
    (each,) = inspect(tmp_path / "model.weights.h5").meetings
    assert (each.restore, each.sentence) == ("load_weights()", "restores every tensor")
