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
class Alike:
    """Tensors of A and of B, all of one mark: of one value, but for a rare collision."""

    a: tuple[Entry, ...]
    b: tuple[Entry, ...]


def same_values(
    a: Checkpoint, b: Checkpoint, only_a: Sequence[Entry], only_b: Sequence[Entry]
) -> Iterator[Alike]:
    """Group the telling tensors that have the same type, shape and value in A and B."""
    left, right = _by_mark(a, only_a, only_b), _by_mark(b, only_b, only_a)
    for value, ones in left.items():
        if value in right:
            yield Alike(tuple(ones), tuple(right[value]))


def origins(
    a: Checkpoint, b: Checkpoint, differing: Sequence[tuple[Entry, Entry]]
) -> Mapping[str, str]:
    """Return, by key, the name of a different tensor in A that has the pair's value in B."""
    others = _by_mark(a, a.entries.values(), [right for _, right in differing])
    names = {}
    for left, right in differing:
        alike = others.get(mark(b, right), ()) if tells(b, right) else ()
        origin = next(
            (other for other in alike if other.key != left.key and has_value(a, other, b, right)),
            None,
        )
        if origin is not None:
            names[left.key] = origin.shown
    return names


def copied(checkpoint: Checkpoint, entries: Sequence[Entry]) -> Mapping[str, str]:
    """Return, by key, the name of a tensor beside `entries` that has the value of one of them.

    Such as that of the embedding, of which a tied output layer is a copy.
    """
    keys = {entry.key for entry in entries}
    others = [entry for entry in checkpoint.entries.values() if entry.key not in keys]
    marked = _by_mark(checkpoint, others, entries)
    names: dict[str, str] = {}
    alike = {(entry.type, entry.shape) for ones in marked.values() for entry in ones}
    for entry in entries:
        if (entry.type, entry.shape) in alike and tells(checkpoint, entry):
            for other in marked.get(mark(checkpoint, entry), ()):
                if has_value(checkpoint, entry, checkpoint, other):
                    names.setdefault(entry.key, other.shown)
    return names


def _by_mark(
    checkpoint: Checkpoint, entries: Iterable[Entry], like: Iterable[Entry]
) -> dict[Mark, list[Entry]]:
    """Return the telling tensors, by mark, whose type and shape occur in `like`."""
    wanted = {(entry.type, entry.shape) for entry in like}
    marked: dict[Mark, list[Entry]] = defaultdict(list)
    for entry in entries:
        if (entry.type, entry.shape) in wanted and tells(checkpoint, entry):
            marked[mark(checkpoint, entry)].append(entry)
    return marked


def mark(checkpoint: Checkpoint, entry: Entry) -> Mark:
    """Return the fingerprint of a value."""
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


def tells(checkpoint: Checkpoint, entry: Entry) -> bool:
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


def has_value(a: Checkpoint, left: Entry, b: Checkpoint, right: Entry) -> bool:
    """Return whether two tensors of one type and shape have the same value, NaN included."""
    if left.dtype is None:
        return a.texts(left) == b.texts(right)
    return bool(equal(a, b, [(left, right)], lambda _: True, Progress()))
