"""Tensors that have the value of a different tensor: renamed or swapped ones.

Only telling values count, which are hardly equal by chance: no single integer, no constant array.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from ckptcheck.arrays import is_telling
from ckptcheck.checkpoints import Checkpoint, Entry
from ckptcheck.checkpoints.checksums import checksum, masked
from ckptcheck.filetools.equality import equal
from ckptcheck.filetools.progress import Progress

# The fingerprint of a value: element type, shape, checksum.
Mark = tuple[str, tuple[int, ...], int]


@dataclass(frozen=True)
class Renamed:
    """A tensor of A, and one of B with a different name and the same value."""

    a: Entry
    b: Entry


def renamed(
    a: Checkpoint, b: Checkpoint, only_a: Sequence[Entry], only_b: Sequence[Entry]
) -> Iterator[Renamed]:
    """Pair tensors of A alone with those of B alone that have the same value, in key order."""
    left, right = _by_mark(a, only_a, only_b), _by_mark(b, only_b, only_a)
    for mark, ones in left.items():
        for one, other in zip(ones, right.get(mark, ()), strict=False):
            if _is_value(a, one, b, other):
                yield Renamed(one, other)


def origins(
    a: Checkpoint, b: Checkpoint, differing: Sequence[tuple[Entry, Entry]]
) -> Mapping[str, str]:
    """Return, by key, the name of a different tensor in A that has the pair's value in B."""
    others = _by_mark(a, a.entries.values(), [right for _, right in differing])
    names = {}
    for left, right in differing:
        alike = others.get(_mark(b, right), ()) if _tells(b, right) else ()
        origin = next(
            (other for other in alike if other.key != left.key and _is_value(a, other, b, right)),
            None,
        )
        if origin is not None:
            names[left.key] = origin.shown
    return names


def _by_mark(
    checkpoint: Checkpoint, entries: Iterable[Entry], like: Iterable[Entry]
) -> dict[Mark, list[Entry]]:
    """Return the telling tensors, by mark, whose type and shape occur in `like`."""
    wanted = {(entry.type, entry.shape) for entry in like}
    marked: dict[Mark, list[Entry]] = defaultdict(list)
    for entry in entries:
        if (entry.type, entry.shape) in wanted and _tells(checkpoint, entry):
            marked[_mark(checkpoint, entry)].append(entry)
    return marked


def _mark(checkpoint: Checkpoint, entry: Entry) -> Mark:
    known = entry.pieces[0].checksum
    if len(entry.pieces) == 1 and known is not None:
        return entry.type, entry.shape, known
    if entry.dtype is None:
        return entry.type, entry.shape, hash(tuple(checkpoint.texts(entry)))
    parts = (part.view(np.uint8) for part in checkpoint.flat(entry))
    return (
        entry.type,
        entry.shape,
        masked(reduce(lambda before, part: checksum(part, before), parts, 0)),
    )


def _tells(checkpoint: Checkpoint, entry: Entry) -> bool:
    """Return whether a value has different elements, or is a single one that is not an integer."""
    if entry.dtype is None:
        return len(set(checkpoint.texts(entry))) > 1
    if entry.elements == 1:
        return is_telling(checkpoint.value(entry))
    first = None
    for piece in entry.pieces:
        for chunk in checkpoint.chunks(entry, piece):
            elements = chunk.reshape(-1, entry.dtype.itemsize)
            first = elements[0].copy() if first is None else first
            if (elements != first).any():
                return True
    return False


def _is_value(a: Checkpoint, left: Entry, b: Checkpoint, right: Entry) -> bool:
    if left.dtype is None:
        return a.texts(left) == b.texts(right)
    return bool(equal(a, b, [(left, right)], lambda _: True, Progress()))
