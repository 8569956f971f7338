"""Predictions of restores."""

from pathlib import Path

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
