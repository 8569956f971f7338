"""What `inspect` prints: a table for each kind, then what restores would meet."""

from collections.abc import Iterator

from ckptcheck.checkpoints import Entry
from ckptcheck.filetools.inspect import Inspection
from ckptcheck.filetools.statistics import Statistics
from ckptcheck.filetools.tables import PLURALS, columns, heading, number, shaped, size

_COLUMNS = ("name", "type", "bytes", "min", "max", "mean", "std", "zeros", "NaN", "Inf")


def text(inspection: Inspection, wide: int | None) -> Iterator[str]:
    """Yield the lines; `wide`: see `columns`."""
    yield from heading(inspection.checkpoint)
    for kind, rows in inspection.of_kinds().items():
        yield ""
        yield f"{PLURALS[kind]}: {len(rows):,}, {size(sum(entry.bytes for entry, _ in rows))}"
        yield from columns(
            _COLUMNS, [_row(entry, statistics) for entry, statistics in rows], 2, wide
        )
    if inspection.meetings:
        widest = max(len(meeting.restore) for meeting in inspection.meetings)
        yield ""
        yield "What a restore would meet, as far as names tell:"
        yield from (
            f"  {meeting.restore.ljust(widest)}  {meeting.sentence}"
            for meeting in inspection.meetings
        )


def _row(entry: Entry, statistics: Statistics) -> list[str]:
    share = (
        ""
        if statistics.zeros is None or not entry.elements
        else f"{statistics.zeros / entry.elements:.0%}"
    )
    numbers = [
        number(value) for value in (statistics.min, statistics.max, statistics.mean, statistics.std)
    ]
    counts = ["" if count is None else f"{count:,}" for count in (statistics.nan, statistics.inf)]
    return [
        entry.shown,
        shaped(entry.type, entry.shape),
        f"{entry.bytes:,}",
        *numbers,
        share,
        *counts,
    ]
