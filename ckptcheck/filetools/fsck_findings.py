"""What `fsck` finds: what is wrong, where, what it would do to a restore, and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass

# A restore fails, or restores something else; nobody here can tell; or nothing is wrong yet.
WRONG, UNKNOWN, LOOK = "wrong", "unknown", "look"
_MOST_NAMED = 3


@dataclass(frozen=True)
class Finding:
    """What was found: how grave it is, what it is, where, what it does to a restore, and what to do."""

    grade: str
    what: str
    where: str
    effect: str
    remedy: str


def some(names: Sequence[str]) -> str:
    """Return a few of some names, and how many more there are."""
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
