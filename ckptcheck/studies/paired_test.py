"""Whether two variants differ by a measure: the seeds they share are pairs, and a sign test tells chance from difference."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# A difference between two variants is called supported when chance alone would show the like less often than this,
# however many comparisons of its measure the study makes (Bonferroni).
LEVEL = 0.05


@dataclass(frozen=True)
class Spread:
    """Median and range over the seeds. A run that never reaches an accuracy counts as infinite."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedTest:
    """A variant against another, seed by seed, by one measure: in how many seeds it is lower, equal and higher.

    `p` is that of the two-sided sign test, seeds that are equal left out: how often a fair coin is as lopsided as this.
    `supported` says whether it is below `LEVEL` over the number of comparisons that the study makes by this measure.
    """

    measure: str
    variant: str
    against: str
    of_variant: Spread
    of_against: Spread
    lower: int
    equal: int
    higher: int
    p: float
    supported: bool


def spread(values: Sequence[float]) -> Spread:
    """Return median and range; all NaN if one of the values is."""
    if any(math.isnan(value) for value in values):
        return Spread(math.nan, math.nan, math.nan)
    return Spread(statistics.median(values), min(values), max(values))


def paired_test(
    measure: str,
    variant: str,
    against: str,
    values: Sequence[float],
    others: Sequence[float],
    count: int,
) -> PairedTest:
    """Compare the values of a variant with those of another, both by seed; the measure has `count` such comparisons."""
    pairs = list(zip(values, others, strict=True))
    lower, higher = (
        sum(one < other for one, other in pairs),
        sum(one > other for one, other in pairs),
    )
    p = sign_test(lower, higher)
    spreads = spread(values), spread(others)
    return PairedTest(
        measure,
        variant,
        against,
        *spreads,
        lower,
        len(pairs) - lower - higher,
        higher,
        p,
        p < LEVEL / count,
    )


def sign_test(lower: int, higher: int) -> float:
    """Return the p-value of the two-sided sign test: of a fair coin that falls `lower` and `higher` times on its two sides."""
    tosses = lower + higher
    as_lopsided: int = sum(
        math.comb(tosses, heads) for heads in range(max(lower, higher), tosses + 1)
    )
    return float(min(1.0, 2 * as_lopsided / 2**tosses))


def seeds_needed(count: int) -> int:
    """Return how many seeds a difference needs at least to be supported, where a measure has so many comparisons."""
    needed = 1
    while sign_test(0, needed) >= LEVEL / count:
        needed += 1
    return needed
