"""What of a save is on disk after a kill, beside the folder before the save and after it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ckptcheck.counts import counted, filled
from ckptcheck.filetools.tables import size
from ckptcheck.observer.files import may_be_checkpoint

_MOST_NAMED = 3
# Small files that programs write beside their checkpoints; others of such names are logs.
_NOTES = (".json", ".txt", ".yaml", ".yml")


@dataclass(frozen=True)
class OnDisk:
    """What a killed command left of a save.

    Attributes:
        is_whole: whether the save was finished: it left what a run leaves that is not killed.
        is_begun: whether any of it is on disk.
        text: what there is of it, as a row of a table says it.
    """

    is_whole: bool
    is_begun: bool
    text: str


def on_disk(found: Path, before: Path | None, after: Path, number: int, *, over: bool) -> OnDisk:
    """Return what a killed command left of a save.

    Logs do not count; what a file holds counts only where sizes do not tell.

    Args:
        found: what the command left.
        before, after: the same folder before and after the save, of a run that was not killed;
            before: None, if it was empty.
        number: the number of the save.
        over: whether the command had gone on with its training.
    """
    there, old, new = (_sizes(each) for each in (found, before, after))
    if there == new and (over or _equal(found, after, there)):
        return OnDisk(True, True, f"save {number} whole")
    if there == old and not (over and old != new) and (old != new or not over):
        return OnDisk(False, False, f"nothing of save {number}")
    if over:
        return OnDisk(True, True, f"save {number} whole")
    text = _difference(there, new) or "files of the final size, with other bytes"
    return OnDisk(False, True, f"part of save {number}: {text}")


def _sizes(folder: Path | None) -> dict[str, int]:
    return {} if folder is None else dict(sorted(_files(folder)))


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    for path in folder.rglob("*"):
        if path.is_file() and (may_be_checkpoint(path.name) or path.suffix in _NOTES):
            yield path.relative_to(folder).as_posix(), path.stat().st_size


def _equal(found: Path, after: Path, names: Mapping[str, int]) -> bool:
    return all((found / name).read_bytes() == (after / name).read_bytes() for name in names)


def _difference(there: Mapping[str, int], wanted: Mapping[str, int]) -> str:
    """Say in which files a folder differs from what is wanted."""
    parts = [
        f"{name} {size(there[name])} of {size(full)}"
        for name, full in wanted.items()
        if there.get(name, full) != full
    ]
    parts += [f"no {name}" for name in wanted if name not in there]
    parts += [f"also {name}" for name in there if name not in wanted]
    further = len(parts) - _MOST_NAMED
    more = [filled("{further} more {further:file|files}", further=further)] if further > 0 else []
    return ", ".join([*parts[:_MOST_NAMED], *more])


def files_in(folder: Path) -> str:
    """Return how many files of which size a folder holds."""
    sizes = _sizes(folder)
    return f"{counted(len(sizes), 'file')}, {size(sum(sizes.values()))}"
