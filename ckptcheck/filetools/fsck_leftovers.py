"""What interrupted saves have left in a folder: files that no restore reads."""

from collections.abc import Iterator
from pathlib import Path

from ckptcheck.checkpoints import formats
from ckptcheck.checkpoints.find import by_number
from ckptcheck.filetools.fsck_findings import LOOK, Finding
from ckptcheck.filetools.tables import counted

_INTERRUPTED = "a save or a deletion was interrupted, or the index was not copied"


def is_temporary(path: Path) -> bool:
    """Return whether a file or folder is one that a save writes before it has its name."""
    return any(each.is_temporary(path) for each in formats.FORMATS)


def is_of_checkpoints(path: Path) -> bool:
    """Return whether a file or folder has to do with checkpoints, by its name."""
    return is_temporary(path) or any(each.recognises(path.name) for each in formats.FORMATS)


def check_leftovers(folder: Path, prefix: str | None = None) -> Iterator[Finding]:
    """Tell of what an interrupted save has left in a folder; of one prefix, or of all."""
    names = sorted((inside.name for inside in folder.iterdir()), key=by_number)
    for name in names:
        of_prefix = prefix is None or name.startswith((f"{prefix}.", f"{prefix}_temp"))
        if of_prefix and is_temporary(folder / name):
            what = "A save was interrupted before its files had their names"
            remedy = "delete it when no process is saving there"
            yield Finding(LOOK, what, str(folder / name), "none: no restore reads it", remedy)
    for orphaned, parts in (
        item for each in formats.FORMATS for item in each.orphans(names).items()
    ):
        if prefix in (None, orphaned):
            what = f"{counted(len(parts), 'data file')} without an index: {_INTERRUPTED}"
            remedy = f"delete {orphaned}.data-*, or copy its index too"
            yield Finding(
                LOOK, what, str(folder / parts[0]), f"{orphaned} cannot be restored", remedy
            )
