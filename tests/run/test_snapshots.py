"""A snapshot is read back unchanged, or refused."""

import math
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from ckptcheck import Kind, Tensor
from ckptcheck.arrays import Array, same
from ckptcheck.run.snapshots import StoredSnapshots, read_snapshot, write_snapshot

STATE = {
    "a/b": Tensor(Kind.WEIGHT, np.arange(6, dtype=np.float32).reshape(2, 3)),
    "nan": Tensor(Kind.SLOT, np.array([math.nan, -0.0, math.inf])),
    "half": Tensor(Kind.MOVING_STATISTIC, np.array([1.5, -2], ml_dtypes.bfloat16)),
    "step": Tensor(Kind.COUNTER, np.array(7, np.int64)),
    "empty": Tensor(Kind.OTHER, np.empty((0, 3), np.int32)),
    "flag": Tensor(Kind.OTHER, np.array(True)),
    "0": Tensor(Kind.RNG, np.array([1, 2], np.uint64)),
}


def test_a_snapshot_is_read_back_unchanged(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "s.npz", STATE)
    back = read_snapshot(tmp_path / "s.npz")
    assert list(back) == list(STATE)
    for name, tensor in STATE.items():
        assert back[name].kind is tensor.kind
        assert back[name].value.dtype == tensor.value.dtype
        assert same(back[name].value, tensor.value, equal_nan=True)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (np.array(["a", None], object), "object"),
        (np.zeros(2, [("x", np.int8), ("y", np.float64)]), "[('x', 'i1'), ('y', '<f8')]"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "float64"),
        (np.zeros(2, np.longdouble), np.dtype(np.longdouble).name),
    ],
)
def test_a_value_that_bytes_do_not_capture_is_refused(
    value: Array, dtype: str, tmp_path: Path
) -> None:
    with pytest.raises(TypeError) as caught:
        write_snapshot(tmp_path / "s.npz", {"words": Tensor(Kind.OTHER, value)})
    assert (
        str(caught.value) == f"the state tensor 'words' has dtype {dtype}, which cannot be recorded"
    )
    assert not (tmp_path / "s.npz").exists()


def test_a_name_must_be_a_string(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"^the name 1 of a state tensor is not a string$"):
        write_snapshot(tmp_path / "s.npz", {1: STATE["step"]})  # type: ignore[dict-item]


def test_stored_snapshots_are_read_by_point(tmp_path: Path) -> None:
    for point in ("initial", "final"):
        write_snapshot(tmp_path / f"{point}.npz", STATE)
    stored = StoredSnapshots(tmp_path)
    assert (list(stored), len(stored), "final" in stored, "boundary-9" in stored) == (
        ["final", "initial"],
        2,
        True,
        False,
    )
    (tmp_path / "final.npz").rename(tmp_path / "moved.npz")
    assert stored["initial"] is stored["initial"]
