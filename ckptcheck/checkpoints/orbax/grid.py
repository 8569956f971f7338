"""The chunks of an array, as they are stored: its pieces."""

from collections.abc import Iterator
from itertools import product
from math import ceil, prod
from pathlib import Path

from ckptcheck.checkpoints.checkpoint import Piece

Sizes = tuple[int, ...]


def count(shape: Sizes, chunk: Sizes) -> int:
    """Return the number of chunks."""
    return prod(_counts(shape, chunk))


def pieces(shape: Sizes, chunk: Sizes, itemsize: int, place: Path) -> Iterator[Piece]:
    """Yield the chunks of an array, without what lies beyond its end; of an empty one, itself."""
    if 0 in shape:
        yield Piece((0,) * len(shape), shape, place, None, 0)
        return
    for index in product(*map(range, _counts(shape, chunk))):
        start = tuple(at * each for at, each in zip(index, chunk, strict=True))
        sizes = tuple(
            min(each, size - at) for each, size, at in zip(chunk, shape, start, strict=True)
        )
        yield Piece(start, sizes, place, None, prod(sizes) * itemsize)


def _counts(shape: Sizes, chunk: Sizes) -> list[int]:
    return [ceil(size / max(each, 1)) for size, each in zip(shape, chunk, strict=True)]
