"""What a command leaves in its folder: the tensors of its newest checkpoints, and its counters."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ckptcheck.checkpoints.contents import ARRAYS, Named, of_checkpoint, of_file
from ckptcheck.checkpoints.find import by_number, checkpoints_in
from ckptcheck.checkpoints.format import Location
from ckptcheck.errors import CkptcheckError
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from ckptcheck.run.snapshots import Snapshot

_UNREADABLE = (CkptcheckError, OSError, ValueError)


@dataclass(frozen=True)
class _Found:
    """A checkpoint that can be read; a series has the same name but for its numbers."""

    series: str
    changed: int
    path: str
    tensors: Sequence[Named]

    @property
    def age(self) -> tuple[object, ...]:
        return self.changed, by_number(self.path)


@dataclass(frozen=True)
class Leavings:
    """The folder of a command at one moment. Checkpoints that cannot be read are left out."""

    folder: Path

    @cached_property
    def newest(self) -> Mapping[str, _Found]:
        """The newest checkpoint of each series, by the name of the series: `ckpt-*.npz`."""
        found: dict[str, _Found] = {}
        for each in sorted(_checkpoints(self.folder), key=lambda each: each.age):
            found[each.series] = each
        return dict(sorted(found.items()))

    def tensors(self, *, by_series: bool) -> Snapshot:
        """Return the tensors of the newest checkpoints by name, or by series and name."""
        return {
            f"{series}: {each.name}" if by_series else each.name: Tensor(each.kind, each.value)
            for series, found in self.newest.items()
            for each in found.tensors
            if not (each.value.dtype.hasobject or each.value.dtype.names)
        }

    @cached_property
    def counters(self) -> Mapping[str, int]:
        """The single whole numbers in checkpoints and JSON documents that count, by name."""
        of_notes = (each for file in self.folder.rglob("*.json") for each in _readable(file))
        named = [each for found in self.newest.values() for each in found.tensors]
        return {
            each.name: int(each.value.item())
            for each in (*named, *of_notes)
            if each.kind is Kind.COUNTER and each.value.size == 1
        }


def _checkpoints(folder: Path) -> Iterator[_Found]:
    read: set[Path] = set()
    for inside in sorted({path.parent for path in folder.rglob("*") if path.is_file()}):
        for location in checkpoints_in(inside):
            try:
                tensors, files = of_checkpoint(location)
            except _UNREADABLE:
                continue
            read.update(files)
            yield _found(location, files, tensors, folder)
    for file in sorted(folder.rglob("*")):
        if file.suffix in ARRAYS and file.is_file() and file not in read:
            tensors = _readable(file)
            if tensors:
                yield _found(file, [file], tensors, folder)


def _found(
    what: Location | Path, files: Sequence[Path], tensors: Sequence[Named], folder: Path
) -> _Found:
    path = (what if isinstance(what, Path) else what.path).relative_to(folder).as_posix()
    changed = max(file.stat().st_mtime_ns for file in files)
    return _Found(re.sub(r"\d+", "*", path), changed, path, tensors)


def _readable(file: Path) -> list[Named]:
    """Return the arrays of a file; none if it cannot be read."""
    try:
        return list(of_file(file))
    except _UNREADABLE:
        return []


def count_in(
    at_save: Mapping[str, int], at_end: Mapping[str, int], steps: Sequence[int]
) -> int | None:
    """Return the first step after a save, as the checkpoint counts; None: that is unknown.

    A counter is believed if it counts the same steps as the metric, as the end of the run shows.

    Args:
        at_save, at_end: the counters at the save and at the end of the run.
        steps: the steps of the metric, rising.
    """
    first_is_one = int(steps[0] > 0)
    gap = max(np.diff(steps), default=1)
    for name, end in at_end.items():
        behind = end + first_is_one - 1 - steps[-1]
        if 0 <= behind < gap and 0 < at_save.get(name, 0) < end:
            return at_save[name] + first_is_one
    return None


def counted_by(at_save: Mapping[str, int], at_end: Mapping[str, int]) -> int | None:
    """Return what a counter of steps shows at a save; None: no counter rises until the end."""
    rising = [name for name, end in at_end.items() if 0 < at_save.get(name, 0) < end]
    steps = [name for name in rising if re.search(r"step|iter", name, re.IGNORECASE)]
    return at_save[(steps or rising)[0]] if rising else None
