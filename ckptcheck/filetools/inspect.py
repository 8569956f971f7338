"""`inspect`: what is in a checkpoint, a row a tensor, and what each restore of TensorFlow 1 would meet in it."""

import csv
import io
import json
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
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
        return {kind: found for kind, found in rows.items() if found}

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints; infinity, where a statistic is beyond float64, stands as text."""
        return {
            "checkpoint": str(self.checkpoint.path),
            "format": self.checkpoint.format,
            "chosen": self.checkpoint.chosen,
            "files": [str(each) for each in self.checkpoint.files],
            "kinds": {
                kind.value: {"tensors": len(rows), "bytes": sum(entry.bytes for entry, _ in rows)}
                for kind, rows in self.of_kinds().items()
            },
            "restores": [each.to_dict() for each in self.meetings],
            "tensors": [_row(*each) for each in self.tensors],
        }

    def to_json(self) -> str:
        """Return the whole as a JSON document."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def to_csv(self) -> str:
        """Return the tensors as CSV, with a header; a shape stands as 3x3x16."""
        text = io.StringIO()
        writer = csv.DictWriter(text, [*_COLUMNS, *(each.name for each in fields(Statistics))], lineterminator="\n")
        writer.writeheader()
        writer.writerows({**_row(*each), "shape": "x".join(map(str, each[0].shape))} for each in self.tensors)
        return text.getvalue()


_COLUMNS = ("name", "key", "kind", "dtype", "shape", "bytes")


def _row(entry: Entry, found: Statistics) -> dict[str, Any]:
    """Return a tensor as JSON has it."""
    key = entry.key.encode("utf-8", "backslashreplace").decode()
    values = (entry.shown, key, entry.kind.value, entry.type, list(entry.shape), entry.bytes)
    numbers = {name: or_text(value) for name, value in asdict(found).items()}
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
    wanted = [each for each in checkpoint.entries.values() if fnmatchcase(each.name, match) or fnmatchcase(each.key, match)]
    if not wanted and match != "*":
        raise UsageError(f"None of the {len(checkpoint.entries):,} tensors of {checkpoint.path} matches {match!r}.")
    wanted.sort(key=lambda each: by_number(each.name))
    progress = progress or Progress()
    progress.expect(sum(map(_size, wanted)))
    found = tuple(over(wanted, lambda each: statistics(checkpoint, each, progress), _size, progress))
    return Inspection(checkpoint, found, tuple(meetings(checkpoint)))


def _size(entry: Entry) -> int:
    return entry.bytes
