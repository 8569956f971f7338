"""Median, range, and when a difference is more than chance."""

import pytest

from ckptcheck.studies.paired_test import Spread, seeds_needed, sign_test, spread


def test_spread() -> None:
    inf = float("inf")
    assert spread([3, 1, 2]) == Spread(2, 1, 3)
    assert spread([3, 1, inf, 2]) == Spread(2.5, 1, inf)
    assert spread([3, 1, inf, inf]) == Spread(inf, 1, inf)


@pytest.mark.parametrize(
    ("lower", "higher", "p"),
    [(0, 0, 1), (1, 1, 1), (0, 5, 0.0625), (5, 0, 0.0625), (1, 9, 22 / 1024)],
)
def test_sign_test(lower: int, higher: int, p: float) -> None:
    assert sign_test(lower, higher) == pytest.approx(p)


def test_seeds_that_are_needed() -> None:
    """Seven equal signs have p = 1/64, which is below 0.05 / 2."""
    assert [seeds_needed(count) for count in (1, 2)] == [6, 7]
