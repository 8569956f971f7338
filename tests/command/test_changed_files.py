"""Files at the end of a resumed run that are not what the control left."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from ckptcheck.command.resumed import _changed_files

BEST = np.arange(3.0)
PICKLED = pickle.dumps([1.0, 2.0])


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """Return a control and a resumed run that left the same."""
    control, resumed = tmp_path / "control", tmp_path / "resumed"
    for each in (control, resumed):
        (each / "written").mkdir(parents=True)
        np.savez(each / "written" / "best.npz", w=BEST)
        (each / "written" / "best.pkl").write_bytes(PICKLED)
        (each / "written" / "log.csv").write_text("1\n")
        (each / "written" / "empty.txt").touch()
    return control, resumed


def test_the_same_is_no_change(runs: tuple[Path, Path]) -> None:
    assert _changed_files(*runs) == []


@pytest.mark.parametrize("name", ["best.npz", "best.pkl"])
def test_one_that_is_missing(runs: tuple[Path, Path], name: str) -> None:
    (runs[1] / "written" / name).unlink()
    assert _changed_files(*runs) == [name]


@pytest.mark.parametrize("cut", [b"", PICKLED[:-1]])
def test_a_torn_pickle(runs: tuple[Path, Path], cut: bytes) -> None:
    (runs[1] / "written" / "best.pkl").write_bytes(cut)
    assert _changed_files(*runs) == ["best.pkl"]


def test_other_values(runs: tuple[Path, Path]) -> None:
    np.savez(runs[1] / "written" / "best.npz", w=BEST + 1)
    assert _changed_files(*runs) == ["best.npz"]


def test_what_is_no_loss(runs: tuple[Path, Path]) -> None:
    ours, theirs = (each / "written" for each in runs)
    (theirs / "log.csv").unlink()
    (theirs / "best.pkl").write_bytes(pickle.dumps([1.0, 2.0, 3.0]))  # it may be of a new step
    np.savez(ours / "run-1700000000.npz", w=BEST)  # named after the time
    assert _changed_files(*runs) == []
