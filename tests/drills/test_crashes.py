"""Which crash states of a save the command is started again from."""

from types import SimpleNamespace
from typing import Any

import pytest

from ckptcheck.crash_states.file_status import Status
from ckptcheck.crash_states.states import Family
from ckptcheck.drills import run
from ckptcheck.drills.crashes import _apart
from ckptcheck.errors import NotVerifiedError

PREFIX, HALF = Family.PREFIX, Family.HALF


def alike(status: Status, *families: Family) -> list[Any]:
    """Return states of a kind, of which only the family and a file are known."""
    return [
        SimpleNamespace(number=number, family=family, statuses={"last.pkl": status})
        for number, family in enumerate(families, start=1)
    ]


@pytest.mark.parametrize(
    ("states", "tried"),
    [
        # Two records: half of the first, all of it, half of the second.
        (alike(Status.PARTIAL, HALF, PREFIX, HALF), [[1, 3], [2]]),
        (alike(Status.PARTIAL, PREFIX, HALF, PREFIX, PREFIX), [[1, 2, 3], [4]]),
        (alike(Status.PARTIAL, PREFIX, HALF), [[1, 2]]),
        (alike(Status.PARTIAL, HALF), [[1]]),
        (alike(Status.OLD, PREFIX, PREFIX), [[1, 2]]),
    ],
)
def test_a_file_that_ends_with_a_whole_write_is_tried_too(
    states: list[Any], tried: list[list[int]]
) -> None:
    assert [[each.number for each in group] for group in _apart(states)] == tried


def test_states_that_nothing_shows_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(drill: Any, number: int) -> list[Any]:
        raise NotVerifiedError(f"How the folder was after save {number} is unknown.")

    monkeypatch.setattr(run, "attempts_at", unknown)
    left_out: dict[str, str] = {}
    drill: Any = None
    assert list(run._states(drill, [2], left_out, None)) == []
    assert left_out == {"states of save 2": "How the folder was after save 2 is unknown."}
