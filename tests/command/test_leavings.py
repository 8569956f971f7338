"""The newest checkpoints in a folder, and what their counters show."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckptcheck.command.leavings import Leavings, count_in, counted_by
from ckptcheck.kinds import Kind
from tests.checkpoints.keras.files import weights


def save(path: Path, at: int, **arrays: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    np.savez(path, allow_pickle=False, **arrays)
    os.utime(path, (at, at))


def tensors(folder: Path, *, by_series: bool = False) -> dict[str, Any]:
    found = Leavings(folder).tensors(by_series=by_series)
    return {name: tensor.value.tolist() for name, tensor in found.items()}


def test_the_newest_of_a_series(tmp_path: Path) -> None:
    save(tmp_path / "ckpt-9.npz", 1, w=[1.0])
    save(tmp_path / "ckpt-10.npz", 2, w=[2.0])
    assert tensors(tmp_path) == {"w": [2.0]}
    assert list(Leavings(tmp_path).newest) == ["ckpt-*.npz"]


def test_of_two_with_one_time_the_larger_number_is_newer(tmp_path: Path) -> None:
    for number in (9, 10):
        save(tmp_path / f"ckpt-{number}.npz", 1, w=[number])
    assert tensors(tmp_path) == {"w": [10]}


def test_several_series_are_compared(tmp_path: Path) -> None:
    save(tmp_path / "model" / "1.npz", 1, w=1.0)
    save(tmp_path / "optimizer" / "1.npz", 1, w=2.0)
    assert tensors(tmp_path, by_series=True) == {"model/*.npz: w": 1.0, "optimizer/*.npz: w": 2.0}


def test_files_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    save(tmp_path / "a-1.npz", 1, w=1.0)
    (tmp_path / "a-2.npz").write_bytes(b"PK\3\4 half of a file")
    (tmp_path / "b.weights.h5").write_bytes(b"\x89HDF\r\n\x1a\n half of a file")
    np.save(tmp_path / "c.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "d.pt").write_bytes(b"PK\3\4")
    assert tensors(tmp_path) == {"w": 1.0}


def test_keras_weights_and_single_arrays(tmp_path: Path) -> None:
    weights(tmp_path / "model.weights.h5")
    np.save(tmp_path / "rng.npy", np.arange(3))
    newest = Leavings(tmp_path).newest
    assert list(newest) == ["model.weights.h*", "rng.npy"]
    named = Leavings(tmp_path).tensors(by_series=False)
    assert named["rng"].value.tolist() == [0, 1, 2]
    assert len(named) == 10


def test_an_empty_or_absent_folder(tmp_path: Path) -> None:
    assert not Leavings(tmp_path).newest
    assert not Leavings(tmp_path / "absent").newest


def test_counters_in_checkpoints_and_notes(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", 1, global_step=np.int64(7), w=[1.0], rate=0.5)
    (tmp_path / "state.json").write_text('{"epoch": 2, "best": 0.25, "name": [1, "x"]}')
    (tmp_path / "notes.json").write_text('{"iteration": 14, "time": 1.5}')
    assert Leavings(tmp_path).tensors(by_series=False)["global_step"].kind is Kind.COUNTER
    assert dict(Leavings(tmp_path).counters) == {"global_step": 7, "iteration": 14}


@pytest.mark.parametrize(
    ("at_save", "at_end", "steps", "first"),
    [
        # Steps from 0, from 1, and every tenth.
        (10, 20, range(20), 10),
        (10, 20, range(1, 21), 11),
        (25, 45, range(0, 41, 10), 25),
        (25, 45, range(10, 41, 10), 26),
        # The run made further steps after its last save; the counter counts in different units.
        (10, 20, range(25), None),
        (100, 200, range(20), None),
        (1, 2, range(20), None),
        # Nothing was saved after the save; the counter is unknown then, or stands still.
        (20, 20, range(20), None),
        (0, 20, range(20), None),
        (1, 1, [0], None),
    ],
)
def test_the_first_step_by_a_counter(
    at_save: int, at_end: int, steps: range, first: int | None
) -> None:
    assert count_in({"step": at_save}, {"seed": 3, "step": at_end}, steps) == first


@pytest.mark.parametrize(
    ("at_save", "at_end", "count"),
    [
        ({"epoch": 1, "global_step": 10}, {"epoch": 2, "global_step": 20}, 10),
        ({"epoch": 1}, {"epoch": 2}, 1),
        ({"seed": 3}, {"seed": 3}, None),
        ({}, {"step": 3}, None),
    ],
)
def test_a_counter_without_a_metric(
    at_save: dict[str, int], at_end: dict[str, int], count: int | None
) -> None:
    assert counted_by(at_save, at_end) == count
