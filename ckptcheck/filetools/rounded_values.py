"""Tensors that have the value of a different tensor with a different type, after rounding."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import reduce

import numpy as np

from ckptcheck.checkpoints import Checkpoint, Entry
from ckptcheck.checkpoints.checksums import checksum
from ckptcheck.filetools.casts import cast_difference, is_cast, narrower, rounded
from ckptcheck.filetools.equality import Pair
from ckptcheck.filetools.progress import Progress
from ckptcheck.filetools.same_value import tells

# The types in A and in B, the shape, and the checksum of the value in the narrower type.
_Mark = tuple[str, str, tuple[int, ...], int]


def rounded_values(
    a: Checkpoint, b: Checkpoint, only_a: Sequence[Entry], only_b: Sequence[Entry]
) -> Iterator[Pair]:
    """Pair the telling tensors of A and B whose values are equal after rounding, and no others'."""
    left, right = _marked(a, only_a, only_b, 1), _marked(b, only_b, only_a, -1)
    pairs = [
        (ones[0], right[value][0])
        for value, ones in left.items()
        if len(ones) == len(right.get(value, ())) == 1
    ]
    times_a = Counter(one.key for one, _ in pairs)  # more than once: several types are equal
    times_b = Counter(other.key for _, other in pairs)
    for one, other in pairs:
        if times_a[one.key] == times_b[other.key] == 1 and _rounds(a, one, b, other):
            yield one, other


def _marked(
    checkpoint: Checkpoint, entries: Sequence[Entry], others: Sequence[Entry], turn: int
) -> dict[_Mark, list[Entry]]:
    """Return the telling tensors by mark; with `turn` −1, `entries` are of B."""
    like = {(other.shape, other.type): other for other in others}
    by_shape: dict[tuple[int, ...], list[Entry]] = defaultdict(list)
    for other in like.values():
        by_shape[other.shape].append(other)
    marked: dict[_Mark, list[Entry]] = defaultdict(list)
    for entry in entries:
        casts = [other for other in by_shape[entry.shape] if is_cast(entry, other)]
        if not casts or entry.elements == 1 or not tells(checkpoint, entry):
            continue
        for other in casts:
            narrow = narrower(entry, other)
            if narrow is not None:
                one, its = (entry.type, other.type)[::turn]
                value = _checksum(checkpoint, entry, narrow)
                marked[one, its, entry.shape, value].append(entry)
    return marked


def _checksum(checkpoint: Checkpoint, entry: Entry, narrow: Entry) -> int:
    assert narrow.dtype is not None
    parts = (part.view(np.uint8) for part in rounded(checkpoint.flat(entry), narrow.dtype))
    return reduce(lambda before, part: checksum(part, before), parts, 0)


def _rounds(a: Checkpoint, one: Entry, b: Checkpoint, other: Entry) -> bool:
    return cast_difference(a, b, one, other, Progress()).rounds
