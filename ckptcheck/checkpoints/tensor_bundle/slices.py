"""The slices of a partitioned tensor: where each lies, and whether they are the whole tensor."""

from math import prod

from ckptcheck.checkpoints.checkpoint import Piece
from ckptcheck.checkpoints.tensor_bundle.messages import WHOLE, Extent


def placed(
    extents: tuple[Extent, ...], whole: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Return the start and shape of a slice; no extents: all of the tensor; None: it has no place.

    `whole` is the tensor's shape.
    """
    extents = extents or (Extent(0, WHOLE),) * len(whole)
    if len(extents) != len(whole):
        return None
    sides = [
        (extent.start, size if extent.length == WHOLE else extent.length, size)
        for extent, size in zip(extents, whole, strict=True)
    ]
    if any(start < 0 or own < 0 or start + own > size for start, own, size in sides):
        return None
    return tuple(start for start, _, _ in sides), tuple(own for _, own, _ in sides)


def written(extents: tuple[Extent, ...]) -> str:
    """Return extents for a message."""
    return ", ".join(f"{extent.start}+{extent.length}" for extent in extents)


def are_whole(pieces: tuple[Piece, ...], shape: tuple[int, ...]) -> bool:
    """Return whether slices cover each element once: their sizes add up, and none overlap.

    The slices are swept in the order of their starts; only open ones can overlap the next.
    """
    if sum(prod(piece.shape) for piece in pieces) != prod(shape):
        return False
    open_: list[Piece] = []
    for piece in sorted((part for part in pieces if prod(part.shape)), key=lambda part: part.start):
        open_ = [
            other
            for other in open_
            if not shape or other.start[0] + other.shape[0] > piece.start[0]
        ]
        if any(_overlap(other, piece) for other in open_):
            return False
        open_.append(piece)
    return True


def _overlap(one: Piece, other: Piece) -> bool:
    sides = zip(one.start, one.shape, other.start, other.shape, strict=True)
    return all(
        first < its + its_size and its < first + size for first, size, its, its_size in sides
    )
