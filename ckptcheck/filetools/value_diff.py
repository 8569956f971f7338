"""The difference of a tensor's two values: in how many elements, by how much, and where."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import ml_dtypes
import numpy as np

from ckptcheck.arrays import Array, as_float, differing, is_inexact, is_number, may_be_nan
from ckptcheck.checkpoints import Checkpoint, Entry
from ckptcheck.filetools.progress import Progress
from ckptcheck.tolerance import Tolerance


@dataclass(frozen=True)
class ValueDifference:
    """The difference of a tensor's two values; maxima are over all elements not bitwise equal.

    A maximum is None if the element type has no such difference. Integer differences are exact, all
    others float64: NaN if a side is NaN, infinite if a side is.
    """

    differing: int = 0  # number of elements outside the tolerance
    absolute: float | int | None = None  # largest |B − A|
    relative: float | None = None  # largest |B − A| / |A|
    ulp: int | None = None  # largest distance in units in the last place
    at: tuple[int, ...] | None = None  # index of `absolute`, the first of several
    scale: float = 0.0  # largest finite |A|
    nan: int = 0  # number of elements that are NaN on either side

    @property
    def share(self) -> float | None:
        """`absolute` as a share of `scale`, which elements near zero do not inflate."""
        if self.absolute is None or not self.absolute:
            return self.absolute
        return self.absolute / self.scale if self.scale else math.inf


def value_difference(
    a: Checkpoint,
    b: Checkpoint,
    left: Entry,
    right: Entry,
    tolerance: Tolerance,
    progress: Progress,
) -> ValueDifference:
    """Compare the values of a tensor that has the same type and shape in both checkpoints."""
    if left.dtype is None:
        texts = zip(a.texts(left), b.texts(right), strict=True)
        unequal = [at for at, (text, its) in enumerate(texts) if text != its]
        return (
            ValueDifference(len(unequal), at=index(unequal[0], left.shape))
            if unequal
            else ValueDifference()
        )
    if left.rows is not None or left.cut != right.cut:
        return _of_rows(in_step(a.flat(left), b.flat(right)), left.shape, tolerance, progress)
    total = ValueDifference()
    for mine, other in zip(left.pieces, right.pieces, strict=True):  # grids of the same pieces
        part = _of_rows(
            in_step(a.arrays(left, mine), b.arrays(right, other)), mine.shape, tolerance, progress
        )
        if part.at is not None:
            part = replace(
                part, at=tuple(own + first for own, first in zip(part.at, mine.start, strict=True))
            )
        total = joined(total, part)
    return total


def in_step(left: Iterator[Array], right: Iterator[Array]) -> Iterator[tuple[Array, Array]]:
    """Yield two streams of elements in chunks of equal length."""
    nothing: Array = np.empty(0, np.uint8)
    mine, other = nothing, nothing
    while True:
        mine = mine if len(mine) else next(left, nothing)
        other = other if len(other) else next(right, nothing)
        count = min(len(mine), len(other))
        if not count:
            assert len(mine) == len(other), "two streams of different lengths"
            return
        yield mine[:count], other[:count]
        mine, other = mine[count:], other[count:]


def _of_rows(
    parts: Iterator[tuple[Array, Array]],
    shape: tuple[int, ...],
    tolerance: Tolerance,
    progress: Progress,
) -> ValueDifference:
    total, before = ValueDifference(), 0
    for left, right in parts:
        part = of_arrays(left, right, tolerance)
        if part.at is not None:
            part = replace(part, at=index(before + part.at[0], shape))
        total = joined(total, part)
        before += len(left)
        progress.advance(2 * left.nbytes)
    return total


def of_arrays(left: Array, right: Array, tolerance: Tolerance) -> ValueDifference:
    """Compare two flat arrays; `at` is a flat index."""
    left, right = native(left), native(right)
    scale = _scale(left)
    unequal = differing(left, right, tolerance.equal_nan)
    count = int(np.count_nonzero(unequal))
    if not count:
        return ValueDifference(scale=scale)
    if count < len(left):
        where = np.flatnonzero(unequal)
        left, right = left[where], right[where]
    else:
        where = np.arange(count)
    if not is_number(left.dtype):
        return ValueDifference(count, at=(int(where[0]),), scale=scale)
    difference = (
        _of_rounded(left, right, tolerance) if may_be_nan(left.dtype) else _of_whole(left, right)
    )
    return replace(difference, at=difference.at and (int(where[difference.at[0]]),), scale=scale)


def _of_whole(left: Array, right: Array) -> ValueDifference:
    """Compare flat arrays of integers without equal elements."""
    distance = np.maximum(left, right).astype(np.uint64) - np.minimum(left, right).astype(np.uint64)
    worst = int(distance.argmax())
    return ValueDifference(
        len(left),
        int(distance[worst]),
        _largest_share(distance.astype(np.float64), left),
        None,
        (worst,),
    )


def _of_rounded(left: Array, right: Array, tolerance: Tolerance) -> ValueDifference:
    """Compare flat arrays of floats or complex numbers without bitwise equal elements."""
    with np.errstate(all="ignore"):
        one, other = as_float(left), as_float(right)
        distance = np.abs(other - one)
    finite = np.isfinite(distance)
    outside = len(left)  # −0 is not +0
    if tolerance.rtol or tolerance.atol:
        with np.errstate(all="ignore"):
            allowed = finite & (distance <= tolerance.atol + tolerance.rtol * np.abs(one))
        outside -= int(np.count_nonzero(allowed))
    if finite.all():
        worst, nan = int(distance.argmax()), 0
        most = float(distance[worst])
    else:
        missing = np.isnan(one) | np.isnan(other)
        nan = int(np.count_nonzero(missing))
        worst = int((missing if nan else ~finite).argmax())
        most = math.nan if nan else math.inf
        left, right, distance = left[finite], right[finite], distance[finite]
    share = _largest_share(distance, left) if len(left) else None
    ulp = int(ulps(left, right).max()) if len(left) and left.dtype.kind != "c" else None
    return ValueDifference(outside, most, share, ulp, (worst,), nan=nan)


def ulps(left: Array, right: Array) -> "np.ndarray[Any, np.dtype[np.unsignedinteger[Any]]]":
    """Return the elementwise distance in units in the last place; from −0 to +0 it is one.

    The bits of floats, read as integers, have the floats' order: Bruce Dawson, "Comparing Floating
    Point Numbers, 2012 Edition".
    """
    one, other = _ordered(left), _ordered(right)
    return np.maximum(one, other) - np.minimum(one, other)


def _ordered(values: Array) -> Array:
    """Map floats to unsigned integers of the same width and order."""
    size = values.dtype.itemsize
    spare = 8 * size - int(ml_dtypes.finfo(values.dtype).bits)  # types below a byte leave some
    bits = np.ascontiguousarray(values).view(f"u{size}")
    bits = bits << spare if spare else bits
    # Negative numbers: invert all bits. Others: the sign only.
    sign = 8 * size - 1
    inverted = (bits.view(f"i{size}") >> sign).view(bits.dtype) | bits.dtype.type(1 << sign)
    ordered: Array = bits ^ inverted
    return ordered >> spare if spare else ordered


def _largest_share(distance: Array, of: Array) -> float:
    with np.errstate(all="ignore"):
        shares = distance / np.abs(as_float(of))
    most = float(np.fmax.reduce(shares))  # −0 against +0 is 0 / 0, NaN, and counts as 0
    return 0.0 if math.isnan(most) else most


def native(values: Array) -> Array:
    """Return elements in native byte order, of a type that NumPy can compute with."""
    if values.dtype.kind == "V" and not is_inexact(values.dtype):  # integers below a byte
        return values.astype(np.int8)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _scale(values: Array) -> float:
    if not is_number(values.dtype):
        return 0.0
    with np.errstate(all="ignore"):
        sizes = np.abs(as_float(values))
        most = float(sizes.max(initial=0.0))
    return most if math.isfinite(most) else float(sizes[np.isfinite(sizes)].max(initial=0.0))


def joined(one: ValueDifference, other: ValueDifference) -> ValueDifference:
    """Combine the differences of two parts of a tensor."""
    worse = other if rank(other.absolute) > rank(one.absolute) or one.at is None else one
    share = max((part.relative for part in (one, other) if part.relative is not None), default=None)
    ulp = max((part.ulp for part in (one, other) if part.ulp is not None), default=None)
    differing, scale, nan = (
        one.differing + other.differing,
        max(one.scale, other.scale),
        one.nan + other.nan,
    )
    return ValueDifference(differing, worse.absolute, share, ulp, worse.at, scale, nan)


def rank(difference: float | None) -> tuple[int, float]:
    """Return a sort key for differences: None, then numbers, then NaN."""
    if difference is None:
        return (0, 0.0)
    return (2, 0.0) if math.isnan(difference) else (1, difference)


def index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return an element's index in an array of a shape, from its flat index."""
    place = []
    for size in reversed(shape):
        flat, at = divmod(flat, size)
        place.append(at)
    return tuple(reversed(place))
