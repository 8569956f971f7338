"""What of a save is on disk after a kill, beside the folder before the save and after it."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from ckptcheck.counts import filled
from ckptcheck.filetools.tables import size
from ckptcheck.observer.files import may_be_checkpoint

_MOST_NAMED = 3
# Names of logs, and of small files that programs write beside their checkpoints.
_NOTES = (".json", ".txt", ".yaml", ".yml")


@dataclass(frozen=True)
class OnDisk:
    """What a killed command left of a save.

    Attributes:
        is_whole: whether the save was finished: it left what a run leaves that is not killed.
        is_begun: whether any of it is on disk.
        text: what there is of it, as a row of a table says it.
        may_be_whole: whether it is not known to be whole only as its bytes differ: it holds the
            time, or files that later steps write, too.
    """

    is_whole: bool
    is_begun: bool
    text: str
    may_be_whole: bool = False


def on_disk(
    found: Path,
    before: Path | None,
    after: Path,
    number: int,
    *,
    over: bool,
    routine: Set[str] = frozenset(),
) -> OnDisk:
    """Return what a killed command left of a save.

    Logs do not count; what a file holds counts only where sizes do not tell.

    Args:
        found: what the command left.
        before, after: the same folder before and after the save, of a run that was not killed;
            before: None, if it was empty.
        number: the number of the save.
        over: whether the command had gone on with its training.
        routine: the files that are written at each step, which are logs, too.
    """
    logs, notes = _logs(before, after) | routine, _notes(before, after)
    there, old, new = (_sizes(each, logs, notes) for each in (found, before, after))
    if over:
        more = _difference(there, new)
        return OnDisk(True, True, f"save {number} whole{f', and more: {more}' if more else ''}")
    if there == new and _equal(found, after, there):
        return OnDisk(True, True, f"save {number} whole")
    if there == old and _equal(found, before or found, there):
        return OnDisk(False, False, f"nothing of save {number}")
    text = _difference(there, new) or "files of the final size, with other bytes"
    is_full = there.keys() == new.keys() and all(there[name] >= new[name] for name in new)
    return OnDisk(False, True, f"part of save {number}: {text}", is_full)


def _logs(before: Path | None, after: Path) -> set[str]:
    """Return the files that only grow, and so are no part of a save."""
    if before is None:
        return set()
    return {name for name in _files(after) & _files(before) if _grows(before / name, after / name)}


def _grows(before: Path, after: Path) -> bool:
    if not before.stat().st_size < after.stat().st_size:
        return False
    return after.read_bytes().startswith(before.read_bytes())


def _notes(before: Path | None, after: Path) -> set[str]:
    """Return the small files that a save writes beside its checkpoints, once both may be told."""
    return set() if before is None else {each for each in _files(after) if each.endswith(_NOTES)}


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _sizes(folder: Path | None, logs: Set[str], notes: Set[str]) -> dict[str, int]:
    """Return the size of each file that is part of a save, by its path."""
    if folder is None:
        return {}
    names = sorted(_files(folder) - logs)
    kept = (name for name in names if may_be_checkpoint(name) or name in notes)
    return {name: (folder / name).stat().st_size for name in kept}


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
