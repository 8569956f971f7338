"""Schedules, and loading a job by name."""

from pathlib import Path
from typing import Any

import pytest

from ckptcheck.errors import UsageError
from ckptcheck.job import load
from ckptcheck.job.loading import check
from ckptcheck.job.schedule import Schedule, make_schedule, parse_boundaries


def test_the_default_boundary_is_in_mid_epoch_with_edges_on_both_sides() -> None:
    schedule = make_schedule(44)
    assert (schedule.steps, schedule.boundary) == (154, 110)
    assert schedule.boundary % 44 not in (0, 43)
    assert [done for done in range(1, 155) if schedule.evaluates_at(done)] == [
        44,
        88,
        110,
        132,
        154,
    ]


@pytest.mark.parametrize(
    ("steps", "boundary"), [(2, None), (40, None), (None, 5), (30, 29), (None, None)]
)
def test_every_boundary_lies_inside(steps: int | None, boundary: int | None) -> None:
    for steps_per_epoch in (1, 2, 7, 1000):
        if boundary is None or steps or steps_per_epoch > 2:
            schedule = make_schedule(
                steps_per_epoch, steps, () if boundary is None else (boundary,)
            )
            assert 0 < schedule.boundary < schedule.steps


def test_a_boundary_outside_the_run() -> None:
    with pytest.raises(UsageError) as caught:
        Schedule(20, 20, 5)
    assert str(caught.value) == (
        "The boundary 20 lies outside the run of 20 steps. Choose a boundary from 1 to 19."
    )
    with pytest.raises(
        UsageError,
        match="A run must have at least 2 steps, one on each side of the boundary, not 1",
    ):
        Schedule(1, 1, 5)


@pytest.mark.parametrize(
    ("asked", "boundaries"),
    [
        ("1,mid,epoch,last", (1, 88, 110, 153)),
        ("first, last", (1, 153)),
        ("epoch", (88,)),
        ("5", (1, 39, 77, 115, 153)),
        ("1", (1,)),
        ("12,12,7", (7, 12)),
    ],
)
def test_many_boundaries(asked: str, boundaries: tuple[int, ...]) -> None:
    schedule = make_schedule(44, None, parse_boundaries(asked))
    assert schedule.boundaries == boundaries
    assert schedule.boundary == boundaries[0]
    assert all(schedule.evaluates_at(boundary) for boundary in boundaries)
    assert schedule.at(boundaries[-1]).boundaries == boundaries


def test_jobs_that_save_at_epoch_edges() -> None:
    assert make_schedule(15, None, (), 2.0).boundaries == (30,)
    assert make_schedule(15, 60, (), 2.0).boundaries == (45,)
    assert make_schedule(15, 14, (), 2.0).boundaries == (7,)


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ("", "The boundaries '' are empty. Give a count, or a list such as 1,mid,epoch,last."),
        (
            "1,,2",
            "The boundaries '1,,2' have an empty place between commas. Give a count, or a list such as 1,mid,epoch,last.",
        ),
        (
            "1,",
            "The boundaries '1,' have an empty place between commas. Give a count, or a list such as 1,mid,epoch,last.",
        ),
        (
            "middle,1",
            "The boundary 'middle' is neither a number of steps nor one of first, mid, epoch, last. Did you mean mid?",
        ),
        ("0", "A run of 154 steps has room for 1 to 153 boundaries, not 0."),
        ("154", "A run of 154 steps has room for 1 to 153 boundaries, not 154."),
        (
            "1,-3",
            "The boundary -3 lies outside the run of 154 steps. Choose a boundary from 1 to 153.",
        ),
    ],
)
def test_invalid_boundaries(asked: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_schedule(44, None, parse_boundaries(asked))
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("steps_per_epoch", "asked", "usual", "steps", "boundaries"),
    [
        (44, {}, 2.5, 198, (110, 154)),  # an epoch later, in a longer run
        (44, {"boundaries": (30,)}, 2.5, 198, (30, 74)),
        (44, {"boundaries": (50, 20)}, 2.5, 198, (20, 50)),
        (44, {"boundaries": ("mid", "last")}, 2.5, 198, (110, 197)),
        (10, {"steps": 40}, 2.5, 40, (13, 23)),
        (44, {"steps": 40}, 2.5, 40, (13, 26)),
        (44, {"steps": 40, "boundaries": (38,)}, 2.5, 40, (38, 39)),
        (1, {"steps": 3}, 2.5, 3, (1, 2)),
        # Jobs that save at epoch edges.
        (15, {}, 2.0, 52, (30, 45)),
        (15, {"steps": 60}, 2.0, 60, (30, 45)),
        (15, {"steps": 50}, 2.0, 50, (30, 45)),
        (15, {"steps": 60, "boundaries": (15,)}, 2.0, 60, (15, 30)),
    ],
)
def test_two_boundaries_to_resume_twice(
    steps_per_epoch: int,
    asked: dict[str, Any],
    usual: float,
    steps: int,
    boundaries: tuple[int, int],
) -> None:
    schedule = make_schedule(steps_per_epoch, **asked, usual=usual, twice=True)
    assert (schedule.steps, schedule.boundaries) == (steps, boundaries)


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (
            {"boundaries": (1, 5, 9)},
            "A run is resumed twice from two boundaries, not from 3: 1, 5, 9. Name two.",
        ),
        (
            {"steps": 40, "boundaries": (39,)},
            "The run of 40 steps has no room for a second save after step 39. Train for at least 41 steps.",
        ),
        (
            {"steps": 40, "boundaries": (30,), "usual": 2.0},
            "The run of 40 steps has no room for a second save after step 30. Train for at least 46 steps.",
        ),
    ],
)
def test_no_two_boundaries_to_resume_twice(asked: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_schedule(15, **asked, twice=True)
    assert str(caught.value) == text


def test_a_run_without_an_epoch_edge() -> None:
    with pytest.raises(
        UsageError, match=r"^The run of 20 steps contains no epoch edge: an epoch has 44 steps"
    ):
        make_schedule(44, 20, ("epoch",))


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("nonsense", "'nonsense' names no job. Write package.module:name or path/to/file.py:name."),
        (
            "no/such.py:Job",
            "There is no file no/such.py. A path is relative to the working directory.",
        ),
        (
            "no_such_module:Job",
            "There is no module no_such_module. Install it, or add its folder to PYTHONPATH.",
        ),
        ("ckptcheck.job:Nothing", "ckptcheck.job defines nothing called 'Nothing'."),
    ],
)
def test_a_job_that_cannot_be_found(target: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(target)
    assert str(caught.value) == text


def test_a_misspelt_file_or_name_suggests_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    (tmp_path / "ckptcheck_train.py").write_text("class Train: ...\n")
    with pytest.raises(UsageError) as caught:
        load(f"{tmp_path}/ckptcheck_trian.py:Train")
    assert str(caught.value) == (
        f"There is no file {tmp_path}/ckptcheck_trian.py. Did you mean ckptcheck_train.py? A path is relative to the working directory."
    )
    with pytest.raises(UsageError) as caught:
        load(f"{tmp_path}/ckptcheck_train.py:Trian")
    assert (
        str(caught.value)
        == f"{tmp_path}/ckptcheck_train.py defines nothing called 'Trian'. Did you mean Train?"
    )


class Endless:
    restores = ("all",)

    def __getattr__(self, name: str) -> object:
        if name in ("steps_per_epoch", "count_steps"):
            raise AttributeError
        return print


class Counting(Endless):
    def count_steps(self) -> int:
        raise AssertionError


def test_a_job_without_steps_per_epoch() -> None:
    with pytest.raises(UsageError) as caught:
        check(Endless(), "train.py:Endless")
    assert str(caught.value) == (
        "train.py:Endless lacks steps_per_epoch. Set steps_per_epoch to the number of batches in an epoch."
    )
    check(Counting(), "train.py:Counting")  # it is counted later


def test_a_job_file_that_imports_its_neighbour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    (tmp_path / "ckptcheck_neighbour.py").write_text("VALUE = 3\n")
    (tmp_path / "ckptcheck_mine.py").write_text("from ckptcheck_neighbour import VALUE\n")
    assert load(f"{tmp_path}/ckptcheck_mine.py:VALUE") == 3
