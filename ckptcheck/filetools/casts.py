"""A tensor with two element types: are its values equal, or equal after rounding?

Rounding is that of the frameworks' own conversion: to nearest, ties to even.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from ckptcheck.arrays import Array, as_float, differing, is_inexact, may_be_nan
from ckptcheck.checkpoints import Checkpoint, Entry
from ckptcheck.filetools.progress import Progress
from ckptcheck.filetools.value_diff import in_step, native, rank

DType = np.dtype[Any]


@dataclass(frozen=True)
class CastDifference:
    """The difference of a tensor's two values with different element types; NaN equals NaN."""

    rounds: bool  # one side, rounded to the type of the other, is the other
    absolute: float  # largest |B − A|: NaN if only one side is, infinite if only one side is

    @property
    def is_exact(self) -> bool:
        """Whether the values are equal without rounding."""
        return self.rounds and not self.absolute


def is_cast(left: Entry, right: Entry) -> bool:
    """Return whether two tensors have one shape, and different types of one sort of number."""
    if left.dtype is None or right.dtype is None or left.type == right.type:
        return False
    sort = _sort(left.dtype)
    return left.shape == right.shape and sort != "" and sort == _sort(right.dtype)


def cast_difference(
    a: Checkpoint, b: Checkpoint, left: Entry, right: Entry, progress: Progress
) -> CastDifference:
    """Compare the values of a tensor for which `is_cast`."""
    narrow = narrower(left, right)
    to_b, to_a = narrow is not left, narrow is not right  # may A be rounded to B, or B to A?
    most = 0.0
    for parts in in_step(a.flat(left), b.flat(right)):
        mine, other = map(native, parts)
        to_b, to_a = to_b and _rounds(mine, other), to_a and _rounds(other, mine)
        most = max(most, _absolute(mine, other), key=rank)
        progress.advance(sum(part.nbytes for part in parts))
    return CastDifference(to_b or to_a, most)


def narrower(left: Entry, right: Entry) -> Entry | None:
    """Return the tensor whose type has fewer bits; None: equally many, as bfloat16 and float16."""
    mine, other = _bits(left.dtype), _bits(right.dtype)
    return None if mine == other else left if mine < other else right


def rounded(values: Iterator[Array], to: DType) -> Iterator[Array]:
    """Yield flat chunks rounded to a type, in native byte order."""
    with np.errstate(all="ignore"):
        for chunk in values:
            yield native(chunk).astype(to.newbyteorder("="))


def _sort(dtype: DType) -> str:
    if is_inexact(dtype):
        return "float"
    is_integer = dtype.kind in "biu" or (dtype.kind == "V" and dtype.type is not np.void)
    return "complex" if dtype.kind == "c" else "integer" if is_integer else ""


def _bits(dtype: DType | None) -> int:
    assert dtype is not None
    return int(ml_dtypes.finfo(dtype).bits) if is_inexact(dtype) else 8 * dtype.itemsize


def _rounds(wide: Array, narrow: Array) -> bool:
    if not may_be_nan(wide.dtype):
        return bool((wide == narrow).all())
    with np.errstate(all="ignore"):
        ways = [wide.astype(narrow.dtype)]
        if wide.dtype == np.float64:  # PyTorch rounds these to float32 first
            ways.append(wide.astype(np.float32).astype(narrow.dtype))
        overflows = np.isfinite(wide) & ~np.isfinite(ways[0])
    unequal = np.logical_and.reduce([differing(way, narrow, equal_nan=True) for way in ways])
    return not (unequal | overflows).any()


def _absolute(left: Array, right: Array) -> float:
    with np.errstate(all="ignore"):
        one, other = as_float(left), as_float(right)
        alike = (one == other) | (np.isnan(one) & np.isnan(other))
        return float(np.where(alike, 0.0, np.abs(other - one)).max(initial=0.0))
