"""Leftovers of interrupted saves: files that no restore reads."""

from collections.abc import Iterator
from pathlib import Path

from ckptcheck.checkpoints import formats
from ckptcheck.checkpoints.find import by_number
from ckptcheck.counts import counted
from ckptcheck.filetools.fsck_findings import LOOK, Finding

_INTERRUPTED = "a save or deletion was interrupted, or the index was not copied"
_DELETE = "delete it, unless a process is saving there now"
_KEEP = "keep it until a checkpoint here is whole: it may hold the only copy of the values"


def is_temporary(path: Path) -> bool:
    """Return whether a file or folder is a temporary one that a save renames at its end."""
    return any(each.is_temporary(path) for each in formats.FORMATS)


def is_of_checkpoints(path: Path) -> bool:
    """Return whether a file or folder belongs to checkpoints, by its name."""
    return is_temporary(path) or any(
        each.recognises(path.name) or (path.is_file() and each.of_file(path) is not None)
        for each in formats.FORMATS
    )


def check_leftovers(
    folder: Path, prefix: str | None = None, *, is_safe: bool = False
) -> Iterator[Finding]:
    """Report the leftovers in a folder, of one prefix or of all.

    With `is_safe`, another checkpoint there is whole: only then may anything be deleted.
    """
    names = sorted((inside.name for inside in folder.iterdir()), key=by_number)
    for name in names:
        of_prefix = prefix is None or name.startswith((f"{prefix}.", f"{prefix}_temp"))
        if of_prefix and is_temporary(folder / name):
            what = "A temporary file of a save that was interrupted"
            remedy = _DELETE if is_safe else _KEEP
            yield Finding(LOOK, what, str(folder / name), "none: restores ignore it", remedy)
    for format_, orphaned, parts in (
        (each, *item) for each in formats.FORMATS for item in each.orphans(names).items()
    ):
        if prefix in (None, orphaned):
            what = f"{counted(len(parts), 'data file')} without an index: {_INTERRUPTED}"
            index = f"{orphaned}{format_.index_ending}"
            remedy = f"copy {index} too: without it, the data cannot be read"
            yield Finding(
                LOOK, what, str(folder / parts[0]), f"{orphaned} cannot be restored", remedy
            )
