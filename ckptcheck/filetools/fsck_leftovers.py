"""What interrupted saves have left in a folder: files that no restore reads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ckptcheck.checkpoints import formats
from ckptcheck.checkpoints.find import by_number
from ckptcheck.filetools.fsck_findings import LOOK, Finding
from ckptcheck.filetools.tables import counted

_INTERRUPTED = "a save or a deletion was interrupted, or the index was not copied"


def is_temporary(path: Path) -> bool:
    """Return whether a file or folder is one that a save writes before it has its name."""
    return any(each.is_temporary(path) for each in formats.FORMATS)


@dataclass(frozen=True)
class Folder:
    """What a folder has in it, as far as it has to do with checkpoints; names in the order of the numbers in them."""

    path: Path
    orphans: Mapping[str, Sequence[str]]  # files by the checkpoint that they are a part of
    temporary: tuple[str, ...]
    is_empty: bool  # nothing in it has to do with checkpoints

    @classmethod
    def of(cls, path: Path) -> "Folder":
        """Look into a folder."""
        names = sorted((inside.name for inside in path.iterdir()), key=by_number)
        orphans = {prefix: parts for each in formats.FORMATS for prefix, parts in each.orphans(names).items()}
        temporary = tuple(name for name in names if is_temporary(path / name))
        is_known = any(each.recognises(name) for each in formats.FORMATS for name in names)
        return cls(path, orphans, temporary, not (is_known or temporary))

    def leftovers(self, prefix: str | None = None) -> Iterator[Finding]:
        """Tell of what an interrupted save has left; of one prefix, or of all."""
        for name in self.temporary:
            if prefix is None or name.startswith((f"{prefix}.", f"{prefix}_temp")):
                yield Finding(
                    LOOK,
                    "A save was interrupted before its files had their names",
                    str(self.path / name),
                    "none: no restore reads it",
                    "delete it when no process is saving there",
                )
        for orphaned, names in self.orphans.items():
            if prefix in (None, orphaned):
                yield Finding(
                    LOOK,
                    f"{counted(len(names), 'data file')} without an index: {_INTERRUPTED}",
                    str(self.path / names[0]),
                    f"{orphaned} cannot be restored",
                    f"delete {orphaned}.data-*, or copy its index too",
                )
