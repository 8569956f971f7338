"""`inspect`: what is in a checkpoint, a row a tensor, and what each restore of TensorFlow 1 would meet in it."""

import csv
import io
import json
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
    """A checkpoint, the tensors that were asked for with their statistics, and what restores would meet."""

    checkpoint: Checkpoint
    tensors: tuple[tuple[Entry, Statistics], ...]
    meetings: tuple[Meeting, ...]

    def of_kinds(self) -> dict[Kind, list[tuple[Entry, Statistics]]]:
        """Return the tensors by kind, in the order of `Kind`."""
        rows = {kind: [row for row in self.tensors if row[0].kind is kind] for kind in Kind}
        return {kind: of_kind for kind, of_kind in rows.items() if of_kind}

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints; infinity, where a statistic is beyond float64, stands as text."""
        return {
            "checkpoint": str(self.checkpoint.path),
            "format": self.checkpoint.format,
            "chosen": self.checkpoint.chosen,
            "files": [str(file) for file in self.checkpoint.files],
            "kinds": {
                kind.value: {"tensors": len(rows), "bytes": sum(entry.bytes for entry, _ in rows)}
                for kind, rows in self.of_kinds().items()
            },
            "restores": [meeting.to_dict() for meeting in self.meetings],
            "tensors": [_row(entry, numbers) for entry, numbers in self.tensors],
        }

    def to_json(self) -> str:
        """Return the whole as a JSON document."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def to_csv(self) -> str:
        """Return the tensors as CSV, with a header; a shape stands as 3x3x16."""
        text = io.StringIO()
        names = [*_COLUMNS, *(field.name for field in fields(Statistics))]
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        for entry, numbers in self.tensors:
            writer.writerow({**_row(entry, numbers), "shape": "x".join(map(str, entry.shape))})
        return text.getvalue()


_COLUMNS = ("name", "key", "kind", "dtype", "shape", "bytes")


def _row(entry: Entry, of_values: Statistics) -> dict[str, Any]:
    key = entry.key.encode("utf-8", "backslashreplace").decode()
    values = (entry.shown, key, entry.kind.value, entry.type, list(entry.shape), entry.bytes)
    numbers = {name: or_text(value) for name, value in asdict(of_values).items()}
    return dict(zip(_COLUMNS, values, strict=True)) | numbers


def inspect(path: Path | str, match: str = "*", *, progress: Progress | None = None) -> Inspection:
    """Read a checkpoint, and say what is in it.

    Args:
        path: a prefix, a file of a checkpoint, or a folder.
        match: a pattern of names or keys, as a shell has them; the others are not read.
        progress: told how many bytes are read.

    Raises:
        UsageError: there is no checkpoint, or no tensor of such a name.
        DamagedError: it cannot be read.
    """
    checkpoint = open_checkpoint(path)
    entries = checkpoint.entries.values()
    wanted = [
        entry
        for entry in entries
        if fnmatchcase(entry.name, match) or fnmatchcase(entry.key, match)
    ]
    if not wanted and match != "*":
        raise UsageError(
            f"None of the {len(entries):,} tensors of {checkpoint.path} matches {match!r}."
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
