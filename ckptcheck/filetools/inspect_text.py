"""What `inspect` prints: a table for each kind, then what restores would meet."""

from collections.abc import Iterator

from ckptcheck.checkpoints import Entry
from ckptcheck.filetools.inspect import Inspection
from ckptcheck.filetools.statistics import Statistics
from ckptcheck.filetools.tables import PLURALS, columns, shaped, size
from ckptcheck.filetools.wording import heading, number

_COLUMNS = ("name", "type", "bytes", "min", "max", "mean", "std", "zeros", "NaN", "Inf")


def text(found: Inspection, wide: int | None) -> Iterator[str]:
    """Yield the lines; `wide`: see `columns`."""
    yield from heading(found.checkpoint)
    for kind, rows in found.of_kinds().items():
        yield ""
        yield f"{PLURALS[kind]}: {len(rows):,}, {size(sum(entry.bytes for entry, _ in rows))}"
        yield from columns(_COLUMNS, [_row(*each) for each in rows], 2, wide)
    if found.meetings:
        widest = max(len(each.restore) for each in found.meetings)
        yield ""
        yield "What a restore would meet, as far as names tell:"
        yield from (f"  {each.restore.ljust(widest)}  {each.sentence}" for each in found.meetings)


def _row(entry: Entry, found: Statistics) -> list[str]:
    share = "" if found.zeros is None or not entry.elements else f"{found.zeros / entry.elements:.0%}"
    numbers = [number(each) for each in (found.min, found.max, found.mean, found.std)]
    counts = ["" if each is None else f"{each:,}" for each in (found.nan, found.inf)]
    return [entry.shown, shaped(entry.type, entry.shape), f"{entry.bytes:,}", *numbers, share, *counts]
