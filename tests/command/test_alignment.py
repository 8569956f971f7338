"""Which step a resumed run begins with, from what was seen of both runs."""

from typing import Any

import pytest

from ckptcheck.command.alignment import first_step
from ckptcheck.run.run import StepRecord

TOTAL, BOUNDARY = 12, 4


def seen(steps: int, stopped: bool = False, **counters: dict[str, int]) -> dict[str, Any]:
    by_point = {point.replace("_", "-"): counts for point, counts in counters.items()}
    return {"steps": steps, "stopped": stopped, "counters": by_point}


def recorded(batches: str) -> list[StepRecord]:
    return [StepRecord(number, 0.0, batch=batch) for number, batch in enumerate(batches)]


CONTROL = seen(TOTAL, initial={"iterations": 1}, boundary_4={"iterations": 5})


@pytest.mark.parametrize(
    ("resumed", "batches", "first"),
    [
        # The optimizer's count came back.
        (seen(8, boundary_4={"iterations": 5}), "efgh", 4),
        # It was lost, but the run ends where the control does.
        (seen(8, boundary_4={"iterations": 1}), "efgh", 4),
        # The run begins anew, with or without its count.
        (seen(12, boundary_4={"iterations": 1}), "abcd", 0),
        (seen(12, boundary_4={}), "abcd", 0),
        # Each start makes so many steps, whatever was made before: the batches tell.
        (seen(12, boundary_4={}), "efghijklmnop", 4),
        # One step was skipped, or made twice.
        (seen(7, boundary_4={"iterations": 6}), "fghi", 5),
        (seen(9, boundary_4={"iterations": 4}), "defg", 3),
        # Nothing but the batches tells, where both were ended early.
        (seen(3, stopped=True, boundary_4={}), "efg", 4),
        (seen(3, stopped=True, boundary_4={}), "abc", 0),
    ],
)
def test_the_first_step(resumed: dict[str, Any], batches: str, first: int) -> None:
    steps = recorded("abcdefghijkl"), recorded(batches)
    assert first_step(CONTROL, resumed, BOUNDARY, steps) == first


def test_a_count_that_did_not_follow_the_steps_says_nothing() -> None:
    control = seen(TOTAL, initial={"fit": 0}, boundary_4={"fit": 0})  # one fit an epoch
    resumed = seen(8, boundary_4={"fit": 0})
    steps = recorded("abcdefghijkl"), recorded("efgh")
    assert first_step(control, resumed, BOUNDARY, steps) == 4


def test_a_batch_that_recurs_says_nothing() -> None:
    resumed = seen(3, stopped=True, boundary_4={"iterations": 5})
    assert first_step(CONTROL, resumed, BOUNDARY, (recorded("a" * 12), recorded("aaa"))) == 4


def test_without_a_count_or_a_known_batch_the_weights_decide() -> None:
    resumed = seen(12, boundary_4={})
    steps = recorded("abcdefghijkl"), recorded("zyxwvutsrqpo")
    assert first_step(CONTROL, resumed, BOUNDARY, steps) == 0
    assert first_step(CONTROL, resumed, BOUNDARY, steps, is_restored=True) == BOUNDARY
