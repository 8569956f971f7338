"""The text of `inspect`: a table for each kind of tensor, and the predicted restores."""

from collections.abc import Iterator

from ckptcheck.checkpoints import Entry
from ckptcheck.filetools.inspect import Inspection
from ckptcheck.filetools.statistics import Statistics
from ckptcheck.filetools.tables import (
    PLURALS,
    columns,
    heading,
    number,
    shaped,
    size,
    wrapped,
)

_COLUMNS = ("name", "type", "bytes", "min", "max", "mean", "std", "zeros", "NaN", "Inf")


def text(inspection: Inspection, wide: int | None) -> Iterator[str]:
    """Yield the lines; for `wide` see `columns`."""
    yield from heading(inspection.checkpoint, wide)
    for kind, rows in inspection.of_kinds().items():
        yield ""
        total = size(sum(entry.bytes for entry, _ in rows))
        yield f"{PLURALS[kind]}: {len(rows):,}, {total}"
        yield from columns(
            _COLUMNS, [_row(entry, statistics) for entry, statistics in rows], 2, wide
        )
    if inspection.notes:
        yield ""
        for note in inspection.notes:
            yield from wrapped(note, wide)
    if inspection.meetings:
        widest = max(len(meeting.restore) for meeting in inspection.meetings)
        yield ""
        yield "Restores of this checkpoint, predicted from its format and names:"
        for meeting in inspection.meetings:
            line = f"  {meeting.restore.ljust(widest)}  {meeting.sentence}"
            yield from wrapped(line, wide, widest + 4)


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
