"""`inspect`: list the tensors of a checkpoint, and predict its restores."""

import csv
import io
import json
import re
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from operator import attrgetter
from pathlib import Path
from typing import Any

from ckptcheck.checkpoints import Checkpoint, Entry, open_checkpoint
from ckptcheck.checkpoints.find import by_number
from ckptcheck.errors import UsageError
from ckptcheck.filetools.forecast import Meeting, meetings
from ckptcheck.filetools.json_numbers import or_text
from ckptcheck.filetools.parallel import over
from ckptcheck.filetools.progress import Progress
from ckptcheck.filetools.statistics import Statistics, statistics
from ckptcheck.kinds import Kind


@dataclass(frozen=True)
class Inspection:
    """A checkpoint, the selected tensors with their statistics, and the predicted restores."""

    checkpoint: Checkpoint
    tensors: tuple[tuple[Entry, Statistics], ...]
    meetings: tuple[Meeting, ...]

    def of_kinds(self) -> dict[Kind, list[tuple[Entry, Statistics]]]:
        """Return the tensors by kind, in the order of `Kind`."""
        rows = {kind: [row for row in self.tensors if row[0].kind is kind] for kind in Kind}
        return {kind: of_kind for kind, of_kind in rows.items() if of_kind}

    @property
    def notes(self) -> tuple[str, ...]:
        """What the values show: an optimizer that never made a step."""
        slots = [
            (entry, numbers)
            for entry, numbers in self.tensors
            if entry.kind is Kind.SLOT and entry.elements > 1
        ]
        counts = [
            numbers.max
            for entry, numbers in self.tensors
            if entry.kind is Kind.COUNTER and _COUNTS_STEPS.search(entry.name.lower())
        ]
        is_zero = all(numbers.zeros == entry.elements for entry, numbers in slots)
        if not slots or not counts or not is_zero or any(counts):
            return ()
        return ("All slots are zero and the step counter is 0: this optimizer never made a step.",)

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints; a statistic beyond float64 is the string `inf`."""
        return {
            "checkpoint": str(self.checkpoint.path),
            "format": self.checkpoint.format,
            "chosen": self.checkpoint.chosen,
            "files": [str(file) for file in self.checkpoint.files],
            "kinds": {
                kind.value: {"tensors": len(rows), "bytes": sum(entry.bytes for entry, _ in rows)}
                for kind, rows in self.of_kinds().items()
            },
            "notes": list(self.notes),
            "restores": [meeting.to_dict() for meeting in self.meetings],
            "tensors": [_row(entry, numbers) for entry, numbers in self.tensors],
        }

    def to_json(self) -> str:
        """Return `to_dict` as a JSON document."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def to_csv(self) -> str:
        """Return the tensors as CSV with a header; a shape is written as 3x3x16."""
        text = io.StringIO()
        names = [*_COLUMNS, *(field.name for field in fields(Statistics))]
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        for entry, numbers in self.tensors:
            writer.writerow({**_row(entry, numbers), "shape": "x".join(map(str, entry.shape))})
        return text.getvalue()


# Counters of an optimizer's steps; others count saves or epochs.
_COUNTS_STEPS = re.compile(r"(^|[/._])(iter(ation)?s?|(global_)?step)(:0)?$|optimizer/.*vars/0$")
_COLUMNS = ("name", "key", "kind", "dtype", "shape", "bytes")


def _row(entry: Entry, of_values: Statistics) -> dict[str, Any]:
    key = entry.key.encode("utf-8", "backslashreplace").decode()
    values = (entry.shown, key, entry.kind.value, entry.type, list(entry.shape), entry.bytes)
    numbers = {name: or_text(value) for name, value in asdict(of_values).items()}
    return dict(zip(_COLUMNS, values, strict=True)) | numbers


def inspect(path: Path | str, match: str = "*", *, progress: Progress | None = None) -> Inspection:
    """Read the tensors of a checkpoint and their statistics.

    Args:
        path: a prefix, a checkpoint file, or a folder.
        match: a shell pattern for names or keys; only matching tensors are read.
        progress: receives the number of bytes read.

    Raises:
        UsageError: there is no checkpoint, or no tensor matches.
        DamagedError: the checkpoint cannot be read.
    """
    checkpoint = open_checkpoint(path)
    entries = checkpoint.entries.values()
    wanted = [
        entry
        for entry in entries
        if any(
            name == match or fnmatchcase(name, match)
            for name in (entry.name, entry.shown, entry.key)
        )
    ]
    if not wanted and match != "*":
        raise UsageError(
            f"No tensor in {checkpoint.path} matches {match!r}. To list all {len(entries):,}, "
            "inspect it without --match."
        )
    wanted.sort(key=lambda entry: by_number(entry.name))
    progress = progress or Progress()
    progress.expect(sum(entry.bytes for entry in wanted))
    tensors = tuple(
        over(
            wanted,
            lambda entry: statistics(checkpoint, entry, progress),
            attrgetter("bytes"),
            progress,
        )
    )
    return Inspection(checkpoint, tensors, tuple(meetings(checkpoint)))
