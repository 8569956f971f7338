"""What interrupted saves have left in a folder: files that no restore reads."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ckptcheck.checkpoints import state_file
from ckptcheck.checkpoints.find import DATA, KERAS, by_number
from ckptcheck.checkpoints.tensor_bundle.bundle import INDEX
from ckptcheck.filetools.findings import LOOK, Finding
from ckptcheck.filetools.tables import counted

# How files and folders are called while they are being written. tensor_bundle.cc adds the process and a random number; the
# state file is written as checkpoint.tmp and a UUID (tensorflow/python/lib/io/file_io.py); sharded savers write into a folder.
_FILE = re.compile(r".+\.tempstate\d+|checkpoint\.tmp[0-9a-f]{32}")
_FOLDER = re.compile(r".+_temp(_[0-9a-f]{32})?")
_INTERRUPTED = "a save or a deletion was interrupted, or the index was not copied"


def is_temporary(path: Path) -> bool:
    """Return whether a file or folder is one that a save writes before it has its name."""
    if path.is_dir():
        # Folders of other origin may be called so, too.
        return bool(_FOLDER.fullmatch(path.name)) and all(each.name.startswith("part-") for each in path.iterdir())
    return bool(_FILE.fullmatch(path.name))


@dataclass(frozen=True)
class Folder:
    """What a folder has in it, as far as it has to do with checkpoints; names in the order of the numbers in them."""

    path: Path
    prefixes: frozenset[str]  # those with an index
    data: tuple[tuple[str, str], ...]  # prefix, file
    temporary: tuple[str, ...]
    others: bool  # files of Keras, or a state file

    @classmethod
    def of(cls, path: Path) -> "Folder":
        """Look into a folder."""
        names = sorted((each.name for each in path.iterdir()), key=lambda name: by_number(Path(name)))
        return cls(
            path,
            frozenset(name.removesuffix(INDEX) for name in names if name.endswith(INDEX)),
            tuple((found["prefix"], name) for name in names if (found := DATA.fullmatch(name))),
            tuple(name for name in names if is_temporary(path / name)),
            any(name.endswith(KERAS) or name == state_file.NAME for name in names),
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing in it has to do with checkpoints."""
        return not (self.prefixes or self.data or self.temporary or self.others)

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
        for other in dict.fromkeys(each for each, _ in self.data):
            if other not in self.prefixes and (prefix is None or other == prefix):
                yield self._without_index(other)

    def _without_index(self, prefix: str) -> Finding:
        files = [name for each, name in self.data if each == prefix]
        return Finding(
            LOOK,
            f"{counted(len(files), 'data file')} without an index: {_INTERRUPTED}",
            str(self.path / files[0]),
            f"{prefix} cannot be restored",
            f"delete {prefix}.data-*, or copy its index too",
        )
