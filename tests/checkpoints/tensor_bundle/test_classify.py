"""Names and kinds of what Keras 2 puts into a SavedModel."""

from pathlib import Path

import numpy as np

from ckptcheck.checkpoints import open_checkpoint
from ckptcheck.filetools.inspect import inspect
from ckptcheck.kinds import Kind
from tests.checkpoints.bundles import Value, field, write
from tests.checkpoints.tensor_bundle.test_object_graph import edge, graph


def held(key: str, variable: str = "") -> bytes:
    return field(
        2, field(1, b"VARIABLE_VALUE") + field(2, variable.encode()) + field(3, key.encode())
    )


def slot(weight: int, name: str, node: int) -> bytes:
    return field(3, field(1, weight) + field(2, name.encode()) + field(3, node))


def saved_model(prefix: Path) -> Path:
    """Save as `model.save("folder", save_format="tf")` does: a list of variables, metrics under `keras_api`."""
    nodes = [
        edge(1, b"variables") + edge(4, b"optimizer") + edge(8, b"keras_api"),
        edge(2, b"0") + edge(3, b"1"),
        held("kernel", "dense/kernel"),
        held("mean", "batch_normalization_2/moving_mean"),
        edge(5, b"beta_1") + edge(6, b"decay") + edge(7, b"iter") + slot(2, "m", 12),
        held("beta", "beta_1"),
        held("decay", "decay"),
        held("iter", "Adam/iter"),
        edge(9, b"metrics"),
        edge(10, b"0"),
        edge(11, b"count"),
        held("count", "count"),
        held("kernel/.OPTIMIZER_SLOT/optimizer/m", "Adam/dense/kernel/m"),
    ]
    one = np.ones((), "float32")
    tensors: dict[str, Value] = {
        "_CHECKPOINTABLE_OBJECT_GRAPH": graph(*nodes),
        "kernel": np.ones((2, 2), "float32"),
        "kernel/.OPTIMIZER_SLOT/optimizer/m": np.ones((2, 2), "float32"),
        "mean": np.ones(2, "float32"),
        "iter": np.array(3),
        **dict.fromkeys(("beta", "decay", "count"), one),
    }
    return write(prefix, tensors)


def test_a_saved_model_of_keras_2(tmp_path: Path) -> None:
    found = open_checkpoint(saved_model(tmp_path / "variables"))
    assert {entry.name: entry.kind for entry in found.entries.values()} == {
        "dense/kernel": Kind.WEIGHT,
        "batch_normalization_2/moving_mean": Kind.MOVING_STATISTIC,
        "optimizer.beta_1": Kind.HYPERPARAMETER,
        "optimizer.decay": Kind.HYPERPARAMETER,
        "optimizer.iter": Kind.COUNTER,
        "keras_api.metrics[0].count": Kind.METRIC,
        "Adam/dense/kernel/m": Kind.SLOT,
    }


def test_match_takes_the_names_that_are_shown(tmp_path: Path) -> None:
    prefix = saved_model(tmp_path / "variables")
    for match in ("*/moving_mean", "mean"):
        ((entry, _),) = inspect(prefix, match).tensors
        assert entry.shown == "batch_normalization_2/moving_mean"
    ((entry, _),) = inspect(
        prefix, "keras_api.metrics[0].count"
    ).tensors  # brackets are a pattern, too
    assert entry.kind is Kind.METRIC
    odd = write(tmp_path / "odd", {"w\n1": np.zeros(2)})
    ((entry, _),) = inspect(odd, r"w\n1").tensors
    assert entry.shown == r"w\n1"
