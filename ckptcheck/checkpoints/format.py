"""What a format of checkpoint files is: the value that finding, opening and checking ask. `formats.py` lists them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ckptcheck.checkpoints.checkpoint import Checkpoint
from ckptcheck.checkpoints.errors import DamagedError


@dataclass(frozen=True)
class Format:
    """A format of checkpoint files. The methods here are those of single files that are known by how their names end."""

    name: str  # what messages call it
    endings: tuple[str, ...]  # of the file without which there is no checkpoint
    open: Callable[[Path], Checkpoint]  # raises DamagedError
    has_checksums: bool = True  # whether damage to a value shows
    is_prefix: bool = (
        False  # a checkpoint is what the names of several files begin with, and no file itself
    )
    state_file: str = ""  # what a file is called that names a folder's newest checkpoint

    @property
    def patterns(self) -> tuple[str, ...]:
        """What its files are called, as messages list them."""
        return tuple(f"*{ending}" for ending in self.endings)

    def recognises(self, name: str) -> bool:
        """Return whether a file of such a name has to do with checkpoints of this format."""
        return name.endswith(self.endings)

    def of_file(self, file: Path) -> "Location | None":
        """Return the checkpoint that a file is a part of; None: of none of this format."""
        return Location(file, self) if self.recognises(file.name) else None

    def at(self, path: Path) -> "Location | None":
        """Return the checkpoint of a path that is no file of one: a prefix, or a folder."""
        return None

    def refusal(self, file: Path) -> str:
        """Return why a file that is akin to this format is no checkpoint that can be read; empty: it is not akin."""
        return ""

    def in_folder(self, folder: Path) -> Iterator[Path]:
        """Yield the checkpoints of a folder, not of those in it."""
        return (
            file for file in folder.iterdir() if file.name.endswith(self.endings) and file.is_file()
        )

    def named_in(self, folder: Path) -> "Location | None":
        """Return the checkpoint that a folder's state file names; DamagedError: it names nothing that is there."""
        return None

    def exported_in(self, folder: Path) -> "Location | None":
        """Return the checkpoint that is deeper in a folder, where that is a program's export as a whole."""
        return None

    def files(self, checkpoint: Path) -> Iterator[Path]:
        """Yield those files that are there of a checkpoint, by their names."""
        yield checkpoint

    def open_to_check(self, checkpoint: Path) -> tuple[Checkpoint, DamagedError | None]:
        """Open a checkpoint even if the names of its tensors are damaged; return that error, too, and check unread bytes."""
        return self.open(checkpoint), None

    def is_temporary(self, path: Path) -> bool:
        """Return whether a file or folder is one that a save writes before it has its name."""
        return False

    def orphans(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return, by checkpoint, those of a folder's files that are a part of one without the file that makes it one."""
        return {}


@dataclass(frozen=True)
class Location:
    """Where a checkpoint is: its prefix, file or folder, and of which format; `chosen` says how it was found, in words."""

    path: Path
    format: Format
    chosen: str = ""

    def open(self) -> Checkpoint:
        """Open it; a prefix tells how it was found, a file is what was asked for."""
        checkpoint = self.format.open(self.path)
        return replace(checkpoint, chosen=self.chosen) if self.format.is_prefix else checkpoint
