"""A paired sign test of two variants, seed by seed: a difference, or chance?"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# The significance level, shared by all comparisons of a measure (Bonferroni).
LEVEL = 0.05


@dataclass(frozen=True)
class Spread:
    """Median and range over the seeds. A run that never reaches an accuracy is infinite."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedTest:
    """A variant and its reference, compared seed by seed by one measure.

    Attributes:
        measure: name of the measure.
        variant: name of the variant.
        against: name of the reference.
        of_variant: the variant's median and range.
        of_against: the reference's median and range.
        lower: number of seeds in which the variant's value is lower.
        equal: number of seeds with equal values.
        higher: number of seeds in which the variant's value is higher.
        p: p-value of the two-sided sign test, without the equal seeds.
        supported: whether `p` is below `LEVEL` divided by the number of comparisons.
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
    """Return median and range; NaN if any value is NaN."""
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
    """Compare a variant with its reference.

    Args:
        measure: name of the measure.
        variant: name of the variant.
        against: name of the reference.
        values: the variant's values, by seed.
        others: the reference's values, by seed.
        count: number of comparisons of this measure in the study.
    """
    pairs = list(zip(values, others, strict=True))
    lower = sum(one < other for one, other in pairs)
    higher = sum(one > other for one, other in pairs)
    p = sign_test(lower, higher)
    return PairedTest(
        measure,
        variant,
        against,
        of_variant=spread(values),
        of_against=spread(others),
        lower=lower,
        equal=len(pairs) - lower - higher,
        higher=higher,
        p=p,
        supported=p < LEVEL / count,
    )


def sign_test(lower: int, higher: int) -> float:
    """Return the p-value of the two-sided sign test."""
    count = lower + higher
    outcomes: int = sum(math.comb(count, heads) for heads in range(max(lower, higher), count + 1))
    return float(min(1.0, 2 * outcomes / 2**count))


def seeds_needed(count: int) -> int:
    """Return the smallest number of seeds that can support one of `count` differences."""
    needed = 1
    while sign_test(0, needed) >= LEVEL / count:
        needed += 1
    return needed
