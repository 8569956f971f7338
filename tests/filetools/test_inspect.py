"""What is in a checkpoint: statistics, kinds, and what restores would meet."""

import csv
import io
import json
import math
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ckptcheck import UsageError
from ckptcheck.filetools.forecast import Meeting
from ckptcheck.filetools.inspect import Inspection, inspect
from ckptcheck.filetools.statistics import Statistics, of_chunks
from ckptcheck.job import Kind
from tests.checkpoints.bundles import Value, write


def of(folder: Path, **tensors: Value) -> dict[str, Statistics]:
    return {entry.name: found for entry, found in inspect(write(folder / "x", tensors)).tensors}


def test_statistics(tmp_path: Path) -> None:
    found = of(
        tmp_path,
        floats=np.array([0.0, -1, 3, math.nan, math.inf, -math.inf], "float32"),
        half=np.array([0.5, 1.5], ml_dtypes.bfloat16),
        small=np.array([-8, 7], ml_dtypes.int4),
        whole=np.array([-(2**63), 2**63 - 1]),
        flags=np.array([True, False, True, True]),
        complex=np.array([0, 1j, complex(math.nan, 0)], "complex64"),
        nothing=np.zeros((0, 3), "float32"),
        nan=np.array([math.nan]),
        text=[b"one", b""],
        step=np.array(7),
    )
    assert found == {
        "floats": Statistics(-1.0, 3.0, 2 / 3, pytest.approx(math.sqrt(26) / 3), 1, 1, 2),
        "half": Statistics(0.5, 1.5, 1.0, 0.5, 0, 0, 0),
        "small": Statistics(-8, 7, -0.5, 7.5, 0, 0, 0),
        "whole": Statistics(-(2**63), 2**63 - 1, 0.0, 2.0**63, 0, 0, 0),
        "flags": Statistics(False, True, 0.75, math.sqrt(3) / 4, 1, 0, 0),
        "complex": Statistics(None, None, None, None, 1, 1, 0),
        "nothing": Statistics(None, None, None, None, 0, 0, 0),
        "nan": Statistics(None, None, None, None, 0, 1, 0),
        "text": Statistics(None, None, None, None, None, None, None),
        "step": Statistics(7, 7, 7.0, 0.0, 0, 0, 0),
    }


@given(arrays.arrays(np.float32, st.integers(1, 50), elements=st.floats(-1e6, 1e6, width=32)), st.integers(1, 20))
def test_in_parts_as_in_one(values: np.ndarray, size: int) -> None:
    found = of_chunks(values[at : at + size] for at in range(0, len(values), size))
    exact = values.astype("float64")
    assert (found.min, found.max, found.zeros) == (exact.min(), exact.max(), int((exact == 0).sum()))
    assert found.mean == pytest.approx(exact.mean(), rel=1e-12, abs=1e-12 * abs(exact).max())
    assert found.std == pytest.approx(exact.std(), rel=1e-9, abs=1e-12 * abs(exact).max())


def test_a_small_deviation_beside_a_large_mean() -> None:
    """The sum of squares less the square of the sum would be off by more than the deviation."""
    values = 1e8 + np.arange(4.0)
    assert of_chunks([values[:1], values[1:]]).std == pytest.approx(math.sqrt(5) / 2, rel=1e-6)


def test_statistics_beyond_float64_are_text_in_json(tmp_path: Path) -> None:
    found = inspect(write(tmp_path / "x", {"x": np.array([1e300, -1e300])}))
    assert json.loads(found.to_json(), parse_constant=pytest.fail)["tensors"][0]["std"] == "inf"


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


SAVED: dict[str, Value] = {
    "conv/kernel": drawn(3, 3),
    "conv/kernel/Adam": drawn(3, 3),
    "conv/kernel/Adam_1": drawn(3, 3),
    "conv/kernel/ExponentialMovingAverage": drawn(3, 3),
    "bn/gamma": drawn(3),
    "bn/gamma/Adam": drawn(3),
    "bn/beta": drawn(3),
    "bn/beta/Adam": drawn(3),
    "bn/moving_mean": drawn(3),
    "bn/moving_variance": drawn(3),
    "bn/moments/Squeeze/ExponentialMovingAverage": drawn(3),
    "beta1_power": np.float32(0.5) * np.ones((), "float32"),
    "global_step": np.array(110),
    "learning_rate": np.ones((), "float32"),
    "layer_10/kernel": drawn(2),
    "layer_9/kernel": drawn(2),
    "table": [b"a", b"b"],
}


def test_kinds_of_a_saver_by_names(tmp_path: Path) -> None:
    found = inspect(write(tmp_path / "model.ckpt", SAVED)).of_kinds()
    assert {kind: [entry.name for entry, _ in rows] for kind, rows in found.items()} == {
        Kind.WEIGHT: ["bn/beta", "bn/gamma", "conv/kernel", "layer_9/kernel", "layer_10/kernel"],
        Kind.MOVING_STATISTIC: ["bn/moments/Squeeze/ExponentialMovingAverage", "bn/moving_mean", "bn/moving_variance"],
        Kind.SHADOW: ["conv/kernel/ExponentialMovingAverage"],
        Kind.SLOT: ["beta1_power", "bn/beta/Adam", "bn/gamma/Adam", "conv/kernel/Adam", "conv/kernel/Adam_1"],
        Kind.COUNTER: ["global_step"],
        Kind.HYPERPARAMETER: ["learning_rate"],
        Kind.OTHER: ["table"],
    }


def meetings(folder: Path, tensors: dict[str, Value]) -> tuple[Meeting, ...]:
    return inspect(write(folder / "model.ckpt", tensors)).meetings


def test_what_restores_would_meet(tmp_path: Path) -> None:
    assert [(each.restore, each.sentence) for each in meetings(tmp_path, SAVED)] == [
        ("tf.train.Saver()", "would restore every tensor of it"),
        ("ema.variables_to_restore()", "would raise: bn/beta/ExponentialMovingAverage and 1 more are not in the checkpoint"),
        (
            "tf.trainable_variables()",
            "would leave out 2 weights, 3 moving statistics, 1 shadow, 5 slots, 1 counter, 1 hyperparameter and 1 other",
        ),
    ]


def test_averages_of_all_weights(tmp_path: Path) -> None:
    tensors: dict[str, Value] = {name: drawn(3, 3) for name in ("w", "w/ExponentialMovingAverage")}
    assert [each.sentence for each in meetings(tmp_path, tensors)][1:] == [
        "would put averages into 1 weight; their own values and the shadows are left out",
        "would leave out 1 shadow",
    ]


def test_weights_alone(tmp_path: Path) -> None:
    """What a Saver of trainable variables leaves behind: the moving statistics of the program are not in it."""
    tensors: dict[str, Value] = {
        "net/batch_norm/gamma": drawn(3),
        "net/batch_norm/beta": drawn(3),
        "LayerNorm/gamma": drawn(3),
    }
    assert [each.sentence for each in meetings(tmp_path, tensors)] == [
        "may raise: net/batch_norm/moving_mean and 1 more are not in the checkpoint",
        "may raise: LayerNorm/gamma/ExponentialMovingAverage and 2 more are not in the checkpoint",
        "would restore every tensor of it",
    ]
    assert len(meetings(tmp_path, {"w": drawn(2)})[1].missing) == 1


def test_match(tmp_path: Path) -> None:
    prefix = write(tmp_path / "model.ckpt", SAVED)
    assert [entry.name for entry, _ in inspect(prefix, "layer_*").tensors] == ["layer_9/kernel", "layer_10/kernel"]
    with pytest.raises(UsageError, match=r"^None of the 17 tensors of .*model\.ckpt matches 'nothing\*'\.$"):
        inspect(prefix, "nothing*")


def test_only_what_matches_is_read(tmp_path: Path) -> None:
    prefix = write(tmp_path / "model.ckpt", SAVED)
    data = Path(f"{prefix}.data-00000-of-00001")
    data.write_bytes(b"\1" * 4 + data.read_bytes()[4:])
    assert inspect(prefix, "layer_*").tensors


def test_csv_and_json_have_every_tensor(tmp_path: Path) -> None:
    found: Inspection = inspect(write(tmp_path / "model.ckpt", SAVED))
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    told = json.loads(found.to_json())
    assert [row["name"] for row in rows] == [row["name"] for row in told["tensors"]]
    assert list(rows[0]) == [
        "name",
        "key",
        "kind",
        "dtype",
        "shape",
        "bytes",
        "min",
        "max",
        "mean",
        "std",
        "zeros",
        "nan",
        "inf",
    ]
    assert (rows[8]["name"], rows[8]["shape"], told["tensors"][8]["shape"]) == ("conv/kernel", "3x3", [3, 3])
    assert float(rows[8]["mean"]) == told["tensors"][8]["mean"]
    assert told["kinds"]["slot"] == {"tensors": 5, "bytes": 100}
    assert told["restores"][2]["left_out"]["moving statistic"] == 3
    assert told["restores"][1]["sure"] is True
