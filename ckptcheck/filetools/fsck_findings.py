"""The findings of `fsck`."""

from collections.abc import Sequence
from dataclasses import dataclass

# A restore fails or is wrong; the file could not be checked; or a restore is right, as yet.
WRONG, UNKNOWN, LOOK = "wrong", "unknown", "look"
_MOST_NAMED = 3


@dataclass(frozen=True)
class Finding:
    """A finding: its grade, what is wrong, where, its effect on a restore, and the remedy."""

    grade: str
    what: str
    where: str
    effect: str
    remedy: str


def some(names: Sequence[str]) -> str:
    """List the first few names, and the number of the rest."""
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
