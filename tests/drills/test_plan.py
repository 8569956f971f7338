"""What a drill checks and says before it begins to kill."""

from typing import Any

import pytest

from ckptcheck.drills.run import _check_saves, _plan
from ckptcheck.errors import NotVerifiedError


@pytest.mark.parametrize(
    ("tries", "seconds", "budget", "said"),
    [
        (1, 2.0, None, "1 restart to try, which may take 3 s"),
        (7, 6.0, None, "7 restarts to try, which may take 63 s"),
        (7, 60.0, None, "7 restarts to try, which may take 10 min"),
        (
            40,
            60.0,
            600.0,
            "40 restarts to try, which may take 60 min, or less with the budget of 600 s",
        ),
    ],
)
def test_how_long_it_may_take(tries: int, seconds: float, budget: float | None, said: str) -> None:
    assert _plan(tries, seconds, budget) == said


def noted(*dones: int, aside: tuple[int, ...] = ()) -> dict[str, Any]:
    """Return what the observer noted of a run of 20 steps that saved then."""
    saves = [{"begun": done, "is_inside": True} for done in dones]
    return {"saves": saves, "saved_after": [], "steps": 20, "written_aside": list(aside)}


def test_the_same_saves_in_both_runs() -> None:
    _check_saves(noted(5, 10, 15), noted(5, 10, 15))


def test_saves_by_the_time_are_not_judged() -> None:
    with pytest.raises(NotVerifiedError) as caught:
        _check_saves(noted(6, 12, 19), noted(1, 4, 8, 12, 16))
    assert str(caught.value) == (
        "The command saves after other steps in each run: first after 6, 12, 19, then after "
        "1, 4, 8, 12, …. A drill kills at the same save in each: let it save by steps or epochs, "
        "not by the time."
    )


def test_a_thread_may_be_late() -> None:
    _check_saves(noted(5, 10), noted(6, 10, aside=(6,)))
