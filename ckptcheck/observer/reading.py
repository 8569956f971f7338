"""What a step reads: all of it, and what it reads after the last save."""

from collections.abc import Callable, Iterable
from typing import Any

from ckptcheck.arrays import Array
from ckptcheck.job.protocol import OnDevice

# Something that a step reads, with the number of saves before it was read.
Item = tuple[int, Any]
# What is recorded of things that a step reads.
Recorded = list[Array] | OnDevice
# That of all that a step reads, and that of what it reads after the last save; None: of the same.
Batch = tuple[Recorded, Recorded | None]


def batch_of(
    sources: Iterable[Iterable[Item]], saves: int, recorded: Callable[[list[Any]], Recorded]
) -> Batch:
    """Return what the first source holds that holds arrays, and what it holds since the last save.

    Args:
        sources: what a step may have read, the most telling first.
        saves: the number of saves by now.
        recorded: returns what is recorded of the arrays in nested things.
    """
    for items in map(list, sources):
        found = recorded([item for _, item in items])
        if found:
            late = [item for before, item in items if before == saves]
            return found, recorded(late) if len(late) < len(items) else None
    return [], None
