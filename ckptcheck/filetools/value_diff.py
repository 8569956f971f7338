"""How far two values of one tensor are apart: how many elements, by how much, and where."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ckptcheck.arrays import Array, as_float, differing, is_inexact, is_number, may_be_nan
from ckptcheck.checkpoints import Checkpoint, Entry
from ckptcheck.filetools.progress import Progress
from ckptcheck.filetools.ulp import steps
from ckptcheck.tolerance import Tolerance


@dataclass(frozen=True)
class Apart:
    """How far two values of one tensor are apart.

    `differing` is the number of elements that count as different. Over all elements that are not equal bit for bit,
    `absolute`, `relative` and `ulp` are the largest difference as a number (exact of whole numbers, else float64; NaN where
    one side is NaN, infinite where one is), as a share of A's number, and in units in the last place; None: there is none of
    that type. `at` is where the largest absolute one is, the first of them. `scale` is the largest finite magnitude in A,
    `nan` the number of elements that are NaN on one side or both.
    """

    differing: int = 0
    absolute: float | int | None = None
    relative: float | None = None
    ulp: int | None = None
    at: tuple[int, ...] | None = None
    scale: float = 0.0
    nan: int = 0

    @property
    def share(self) -> float | None:
        """The largest absolute difference as a share of the largest magnitude in A, which elements near zero leave alone."""
        if self.absolute is None or not self.absolute:
            return self.absolute
        return self.absolute / self.scale if self.scale else math.inf


def apart(a: Checkpoint, b: Checkpoint, left: Entry, right: Entry, tolerance: Tolerance, progress: Progress) -> Apart:
    """Say how far the values of a tensor in two checkpoints are apart, of one type and shape in both.

    Raises:
        DamagedError: a value cannot be read, or does not have its checksum.
    """
    if left.dtype is None:
        texts = zip(a.texts(left), b.texts(right), strict=True)
        unequal = [at for at, (text, its) in enumerate(texts) if text != its]
        return Apart(len(unequal), at=index(unequal[0], left.shape)) if unequal else Apart()
    found = Apart()
    if left.rows is None and left.cut == right.cut:  # both in the same way, and not by rows
        for mine, other in zip(left.pieces, right.pieces, strict=True):
            part = _of_rows(in_step(a.arrays(left, mine), b.arrays(right, other)), mine.shape, tolerance, progress)
            if part.at is not None:
                part = replace(part, at=tuple(own + first for own, first in zip(part.at, mine.start, strict=True)))
            found = joined(found, part)
        return found
    return _of_rows(in_step(a.flat(left), b.flat(right)), left.shape, tolerance, progress)


def in_step(left: Iterator[Array], right: Iterator[Array]) -> Iterator[tuple[Array, Array]]:
    """Yield two rows of elements in parts of one length, whatever the parts are in which they come."""
    nothing: Array = np.empty(0, np.uint8)
    mine, other = nothing, nothing
    while True:
        mine = mine if len(mine) else next(left, nothing)
        other = other if len(other) else next(right, nothing)
        count = min(len(mine), len(other))
        if not count:
            assert len(mine) == len(other), "two rows of elements of different lengths"
            return
        yield mine[:count], other[:count]
        mine, other = mine[count:], other[count:]


def _of_rows(parts: Iterator[tuple[Array, Array]], shape: tuple[int, ...], tolerance: Tolerance, progress: Progress) -> Apart:
    """Say how far two rows of elements are apart that are an array of some shape."""
    found, before = Apart(), 0
    for left, right in parts:
        part = of_arrays(left, right, tolerance)
        if part.at is not None:
            part = replace(part, at=index(before + part.at[0], shape))
        found = joined(found, part)
        before += len(left)
        progress.advance(2 * left.nbytes)
    return found


def of_arrays(left: Array, right: Array, tolerance: Tolerance) -> Apart:
    """Say how far two rows of elements are apart; `at` is the number of one."""
    left, right = _native(left), _native(right)
    scale = _scale(left)
    unequal = differing(left, right, tolerance.equal_nan)
    count = int(np.count_nonzero(unequal))
    if not count:
        return Apart(scale=scale)
    if count < len(left):
        where = np.flatnonzero(unequal)
        left, right = left[where], right[where]
    else:
        where = np.arange(count)
    if not is_number(left.dtype):
        return Apart(count, at=(int(where[0]),), scale=scale)
    found = _of_different(left, right, tolerance)
    at = found.at and (int(where[found.at[0]]),)
    return replace(found, at=at, scale=scale)


def _of_different(left: Array, right: Array, tolerance: Tolerance) -> Apart:
    """Say how far rows are apart of which no element is the same."""
    if not may_be_nan(left.dtype):
        larger, smaller = np.maximum(left, right), np.minimum(left, right)
        distance = larger.astype(np.uint64) - smaller.astype(np.uint64)
        worst = int(distance.argmax())
        return Apart(len(left), int(distance[worst]), _largest_share(distance.astype(np.float64), left), None, (worst,))
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
    ulp = int(steps(left, right).max()) if len(left) and left.dtype.kind != "c" else None
    return Apart(outside, most, share, ulp, (worst,), nan=nan)


def _largest_share(distance: Array, of: Array) -> float:
    with np.errstate(all="ignore"):
        shares = distance / np.abs(as_float(of))
    most = float(np.fmax.reduce(shares))  # 0 of 0, which is −0 beside +0, is NaN, and none
    return 0.0 if math.isnan(most) else most


def _native(values: Array) -> Array:
    """Return elements in this machine's byte order, and of types that NumPy computes with."""
    if values.dtype.kind == "V" and not is_inexact(values.dtype):  # whole numbers below a byte
        return values.astype(np.int8)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _scale(values: Array) -> float:
    if not is_number(values.dtype):
        return 0.0
    with np.errstate(all="ignore"):
        sizes = np.abs(as_float(values))
        most = float(sizes.max(initial=0.0))
    if math.isfinite(most):
        return most
    return float(sizes[np.isfinite(sizes)].max(initial=0.0))


def joined(one: Apart, other: Apart) -> Apart:
    """Return what holds of two parts of a tensor together."""
    worse = other if _worse(other.absolute, one.absolute) or one.at is None else one
    shares = [each.relative for each in (one, other) if each.relative is not None]
    ulps = [each.ulp for each in (one, other) if each.ulp is not None]
    return Apart(
        one.differing + other.differing,
        worse.absolute,
        max(shares, default=None),
        max(ulps, default=None),
        worse.at,
        max(one.scale, other.scale),
        one.nan + other.nan,
    )


def _worse(one: float | None, other: float | None) -> bool:
    """Return whether a difference is worse than another one: NaN is worst, none at all least."""
    return rank(one) > rank(other)


def rank(difference: float | None) -> tuple[int, float]:
    """Return a key that sorts differences, the worst last."""
    if difference is None:
        return (0, 0.0)
    return (2, 0.0) if math.isnan(difference) else (1, difference)


def index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the place in an array of some shape of an element, by its number."""
    found = []
    for size in reversed(shape):
        flat, at = divmod(flat, size)
        found.append(at)
    return tuple(reversed(found))
