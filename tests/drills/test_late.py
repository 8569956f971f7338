"""A kill within a save that came after it is no kill within it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ckptcheck.drills import tried
from ckptcheck.drills.drilled import LOST_WORK, Row
from ckptcheck.drills.on_disk import OnDisk
from ckptcheck.drills.points import AFTER_SAVE, MID, Point
from ckptcheck.drills.saves import Save
from ckptcheck.drills.tried import Drill, Left, try_point
from ckptcheck.outcomes import DIVERGED, INCONCLUSIVE

WHOLE = OnDisk(True, True, "save 2 whole")
TORN = OnDisk(False, True, "part of save 2: last.pt 5 B of 10 B")
OTHER = OnDisk(False, True, "part of save 2: files of the final size, with other bytes", True)
LATE = (
    "The save was over before the kill, each time. --states tries all that a kill within it can "
    "leave."
)


class Runs:
    folder = Path("nowhere")


class Killed:
    done = 10


def tries(
    monkeypatch: pytest.MonkeyPatch,
    disks: list[OnDisk],
    row: Row,
    *,
    has_states: bool = False,
    point: str = MID,
) -> tuple[Row, int]:
    """Try a point where each kill leaves what is given; return the row, and how often."""
    runs: Any = Runs()
    saves = tuple(Save(done, done, done, 0.1, 3) for done in (5, 10, 15))
    kills = iter(disks)
    killed: Any = Killed()

    def kill(drill: Drill, point: Point, attempt: int) -> Left:
        return Left(killed, next(kills), 5)

    monkeypatch.setattr(tried, "_killed_at", kill)
    monkeypatch.setattr(tried, "_row", lambda drill, point, left: row)
    terms: Any = None
    found = try_point(Drill(runs, saves, 20, 30.0, terms, has_states), Point(point, 2))
    return found, len(disks) - len(list(kills))


FROM_5 = Row("mid of save 2", TORN.text, LOST_WORK, 10, went_on_at=5, finished_at=5)
FROM_10 = replace(FROM_5, went_on_at=10)


def test_a_kill_within_it_is_judged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tries(monkeypatch, [TORN, WHOLE, WHOLE], FROM_5) == (FROM_5, 1)


def test_the_save_may_hold_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tries(monkeypatch, [OTHER, WHOLE, WHOLE], FROM_5) == (FROM_5, 1)


@pytest.mark.parametrize("late", [WHOLE, OTHER])
def test_one_that_comes_late_each_time_proves_nothing(
    monkeypatch: pytest.MonkeyPatch, late: OnDisk
) -> None:
    row, count = tries(monkeypatch, [late] * 3, FROM_10)
    assert (row.outcome, row.reason, count) == (INCONCLUSIVE, LATE, 3)


def test_a_part_that_is_enough_is_no_late_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tries(monkeypatch, [TORN, TORN, TORN], FROM_10) == (FROM_10, 1)


@pytest.mark.parametrize("late", [WHOLE, OTHER])
def test_crash_states_miss_nothing(monkeypatch: pytest.MonkeyPatch, late: OnDisk) -> None:
    assert tries(monkeypatch, [late] * 3, FROM_10, has_states=True) == (FROM_10, 3)


def test_what_goes_wrong_after_a_late_kill_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(FROM_10, outcome=DIVERGED)
    assert tries(monkeypatch, [WHOLE] * 3, wrong) == (wrong, 3)
    assert tries(monkeypatch, [OTHER, TORN, TORN], wrong) == (wrong, 1)


def test_after_a_save_no_kill_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    assert tries(monkeypatch, [WHOLE] * 3, FROM_10, point=AFTER_SAVE) == (FROM_10, 1)
