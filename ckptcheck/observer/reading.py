"""What a step reads: all of it, and what it reads after the last save."""

from collections.abc import Callable, Iterable
from typing import Any

from ckptcheck.arrays import Array

# Something that a step reads, with the number of saves before it was read.
Item = tuple[int, Any]
# The arrays that a step reads, and those that it reads after the last save; None: all of them.
Batch = tuple[list[Array], list[Array] | None]


def batch_of(
    sources: Iterable[Iterable[Item]], saves: int, arrays_of: Callable[[list[Any]], list[Array]]
) -> Batch:
    """Return the arrays of the first source that has any, and those since the last save.

    Args:
        sources: what a step may have read, the most telling first.
        saves: the number of saves by now.
        arrays_of: returns the arrays that nested things hold.
    """
    for items in map(list, sources):
        arrays = arrays_of([item for _, item in items])
        if arrays:
            late = [item for before, item in items if before == saves]
            return arrays, arrays_of(late) if len(late) < len(items) else None
    return [], None
