"""Statistics of a tensor's values, in one pass over its chunks."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ckptcheck.arrays import Array, may_be_nan, nan_and_infinite
from ckptcheck.checkpoints import Checkpoint, Entry
from ckptcheck.filetools.progress import Progress


@dataclass(frozen=True)
class Statistics:
    """Minimum, maximum, mean and population standard deviation of the finite elements, and counts.

    The statistics are None if no element is finite, and for text and complex numbers. The counts
    `zeros`, `nan` and `inf` are None for text.
    """

    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    zeros: int | None = None
    nan: int | None = None
    inf: int | None = None


def statistics(checkpoint: Checkpoint, entry: Entry, progress: Progress) -> Statistics:
    """Read a tensor, and return its statistics."""
    if entry.dtype is None:
        checkpoint.texts(entry)  # verifies the checksum
        progress.advance(entry.bytes)
        return Statistics()
    return of_chunks(_chunks(checkpoint, entry, progress))


def _chunks(checkpoint: Checkpoint, entry: Entry, progress: Progress) -> Iterator[Array]:
    for piece in entry.pieces:
        for chunk in checkpoint.arrays(entry, piece):
            yield chunk
            progress.advance(chunk.nbytes)


def of_chunks(chunks: Iterable[Array]) -> Statistics:
    """Return the statistics of an array that comes in chunks.

    Means and squares are computed in float64 and merged as by Chan, Golub and LeVeque (1979): a
    large mean must not swamp a small deviation.
    """
    sums = _Sums()
    for chunk in chunks:
        sums.add(chunk)
    return sums.statistics()


class _Sums:
    """Running sums over the elements so far."""

    def __init__(self) -> None:
        self.count = self.zeros = self.nan = self.inf = 0
        self.mean = self.squares = 0.0
        self.least: float | None = None
        self.greatest: float | None = None

    def add(self, chunk: Array) -> None:
        values = self._finite(chunk)
        self.zeros += int(values.size - np.count_nonzero(values))
        if values.size and values.dtype.kind != "c":
            self._add_numbers(values)

    def _finite(self, chunk: Array) -> Array:
        """Return the finite elements, and count the rest."""
        if not may_be_nan(chunk.dtype):
            # NumPy cannot compute with integers smaller than a byte.
            return chunk.astype(np.int8) if chunk.dtype.kind == "V" else chunk
        finite = np.isfinite(chunk)
        if finite.all():
            return chunk
        nan, inf = nan_and_infinite(chunk, finite)
        self.nan, self.inf = self.nan + nan, self.inf + inf
        return chunk[finite]

    def _add_numbers(self, values: Array) -> None:
        numbers = values.astype(np.float64)
        exact = values if values.dtype.kind in "iub" else numbers
        low, high = exact.min().item(), exact.max().item()
        self.least = low if self.least is None else min(self.least, low)
        self.greatest = high if self.greatest is None else max(self.greatest, high)
        with np.errstate(over="ignore", invalid="ignore"):
            own = float(numbers.mean())
            numbers -= own
            step, total = own - self.mean, self.count + values.size
            self.squares += float(np.dot(numbers, numbers)) + step * step * (
                self.count * values.size / total
            )
            self.mean += step * (values.size / total)
        self.count = total

    def statistics(self) -> Statistics:
        if not self.count:
            return Statistics(zeros=self.zeros, nan=self.nan, inf=self.inf)
        std = math.sqrt(self.squares / self.count)
        return Statistics(self.least, self.greatest, self.mean, std, self.zeros, self.nan, self.inf)
