"""Schedules, and finding a job by name."""

from pathlib import Path

import pytest

from ckptcheck.errors import UsageError
from ckptcheck.job import Schedule, load
from ckptcheck.worker import make_schedule


def test_default_boundary_is_in_mid_epoch_with_edges_on_both_sides() -> None:
    schedule = make_schedule(44, None, None)
    assert (schedule.steps, schedule.boundary) == (154, 110)
    assert schedule.boundary % 44 not in (0, 43)
    assert [done for done in range(1, 155) if schedule.evaluates_at(done)] == [44, 88, 110, 132, 154]


@pytest.mark.parametrize(("steps", "boundary"), [(2, None), (40, None), (None, 5), (30, 29), (None, None)])
def test_every_boundary_lies_inside(steps: int | None, boundary: int | None) -> None:
    for steps_per_epoch in (1, 2, 7, 1000):
        if boundary is None or steps or steps_per_epoch > 2:
            schedule = make_schedule(steps_per_epoch, steps, boundary)
            assert 0 < schedule.boundary < schedule.steps


def test_boundary_outside_the_run() -> None:
    with pytest.raises(UsageError) as caught:
        Schedule(20, 20, 5)
    assert str(caught.value) == (
        "The boundary lies outside the run: it is step 20, the run has 20 steps. Choose a boundary from 1 to 19."
    )
    with pytest.raises(UsageError, match="A run must have at least 2 steps, one on each side of the boundary, not 1"):
        Schedule(1, 1, 5)


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("nonsense", "'nonsense' names no job: write package.module:name or path/to/file.py:name."),
        ("no/such.py:Job", "There is no file no/such.py to take a job from."),
        ("no_such_module:Job", "There is no module no_such_module to take a job from."),
        ("ckptcheck.job:Nothing", "ckptcheck.job has nothing called 'Nothing'."),
    ],
)
def test_job_that_cannot_be_found(target: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(target)
    assert str(caught.value) == text


def test_job_from_a_file_that_imports_its_neighbour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    (tmp_path / "ckptcheck_neighbour.py").write_text("VALUE = 3\n")
    (tmp_path / "ckptcheck_mine.py").write_text("from ckptcheck_neighbour import VALUE\n")
    assert load(f"{tmp_path}/ckptcheck_mine.py:VALUE") == 3
