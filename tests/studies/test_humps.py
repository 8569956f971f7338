"""What counts as a hump."""

import numpy as np
import pytest

from ckptcheck.studies.humps import END, RISE, WINDOW, Hump, humps_of, rises_of, smoothed


def bump(height: float, *, at: int = 20, length: int = 6, epochs: int = 40) -> list[float]:
    """A loss of 1, raised to `height` for `length` epochs from epoch `at` (from 1)."""
    return [height if at <= epoch < at + length else 1.0 for epoch in range(1, epochs + 1)]


def test_the_definition() -> None:
    assert (WINDOW, RISE, END) == (5, 0.5, 0.25)


def test_smoothed_has_whole_windows_only() -> None:
    assert smoothed([1, 2, 3, 4, 5, 6, 7]).tolist() == [3, 4, 5]
    assert smoothed([1, 2, 3, 4]).tolist() == []


def test_start_length_and_size() -> None:
    # Means of five around epochs 18 to 27: 1.2, 1.4, 1.6, 1.8, 2, 2, 1.8, 1.6, 1.4, 1.2.
    (hump,) = humps_of(bump(2.0))
    assert (hump.start, hump.length, hump.returned) == (20, 7, True)
    assert hump.size == pytest.approx(1.0)


def test_the_rise_is_measured_from_the_lowest_so_far() -> None:
    falling = [10.0] * 10 + [1.0] * 10 + [2.0] * 10 + [1.0] * 10
    assert [round(hump.size, 6) for hump in humps_of(falling)] == [1.0]
    assert rises_of(falling).max() == pytest.approx(1.0)


@pytest.mark.parametrize(
    "losses",
    [
        [1.0] * 40,
        list(np.linspace(3, 0.1, 40)),
        bump(1.49),  # not high enough
        bump(3.0, length=1),  # one bad epoch: the mean of five rises by 0.4
        [1.0, 9.0, 1.0],  # shorter than a window
        [],
    ],
)
def test_no_hump(losses: list[float]) -> None:
    assert humps_of(losses) == []


def test_a_rise_that_did_not_return() -> None:
    assert [
        (hump.start, hump.length, hump.returned) for hump in humps_of([1.0] * 20 + [2.0] * 10)
    ] == [(21, 8, False)]


def test_a_wiggle_at_the_threshold_is_one_hump() -> None:
    wiggling = [1.0] * 10 + ([1.7] * 5 + [1.4] * 5) * 2 + [1.0] * 10
    above = rises_of(wiggling)
    assert (
        (above[:-1] > RISE) & (above[1:] <= RISE)
    ).sum() > 1  # it does cross the threshold more than once
    assert len(humps_of(wiggling)) == 1


def test_two_humps() -> None:
    assert [hump.start for hump in humps_of(bump(2.0, at=8) + bump(2.0, at=20))] == [8, 60]


def test_above_a_minimum_of_zero() -> None:
    assert humps_of([0.0] * 10 + [1.0] * 10 + [0.0] * 10) == [Hump(9, 14, float("inf"), True)]
