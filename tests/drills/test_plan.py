"""What a drill says before it begins to kill."""

import pytest

from ckptcheck.drills.run import _plan


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
