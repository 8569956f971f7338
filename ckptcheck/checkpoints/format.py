"""The interface of a checkpoint format: how to find, open and check its files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ckptcheck.checkpoints.checkpoint import Checkpoint
from ckptcheck.checkpoints.errors import DamagedError


def name_of(folder: Path) -> str:
    """Return the name of a folder, which may tell a step; that of `.` is not in its path."""
    return folder.name if folder.name not in ("", "..") else folder.resolve().name


@dataclass(frozen=True)
class Format:
    """A checkpoint format; the methods here suit single files, recognised by their endings."""

    name: str  # the name in messages
    endings: tuple[str, ...]  # of the file that every checkpoint has
    open: Callable[[Path], Checkpoint]  # raises DamagedError
    has_checksums: bool = True  # whether damage to a value is detectable
    is_prefix: bool = False  # the path is the common prefix of several files, not a file
    is_folder: bool = False  # the path is a folder, whose files are a checkpoint together only
    state_file: str = ""  # name of the file that points to a folder's newest checkpoint
    index_ending: str = ".index"  # of the index, without which data files are no checkpoint
    on_damage: str = "a restore raises"  # what a restore does where a value's checksum is wrong

    @property
    def unit(self) -> str:
        """What messages call one checkpoint."""
        return "folder" if self.is_folder else "file"

    @property
    def patterns(self) -> tuple[str, ...]:
        """The file name patterns that messages list."""
        return tuple(f"*{ending}" for ending in self.endings)

    def recognises(self, name: str) -> bool:
        """Return whether a file name belongs to this format."""
        return name.endswith(self.endings)

    def of_file(self, file: Path) -> "Location | None":
        """Return the checkpoint that a file is part of; None: of none of this format."""
        return Location(file, self) if self.recognises(file.name) else None

    def at(self, path: Path) -> "Location | None":
        """Return the checkpoint at a path that is not a file: a prefix, or a folder."""
        return None

    def holds(self, folder: Path) -> bool:
        """Return whether the files of a folder are one checkpoint of this format together."""
        return False

    def refusal(self, file: Path) -> str:
        """Return why a file related to this format cannot be read; empty: it is not related."""
        return ""

    def in_folder(self, folder: Path) -> Iterator[Path]:
        """Yield the checkpoints in a folder, without those in its subfolders."""
        return (
            file for file in folder.iterdir() if file.name.endswith(self.endings) and file.is_file()
        )

    def exists(self, path: Path) -> bool:
        """Return whether TensorFlow finds a checkpoint at a path that a state file names."""
        return False

    def exported_in(self, folder: Path) -> "Location | None":
        """Return the checkpoint inside a folder that is an exported program."""
        return None

    def files(self, checkpoint: Path) -> Iterator[Path]:
        """Yield the existing files of a checkpoint, found by name."""
        yield checkpoint

    def written_last(self, checkpoint: Path) -> Path | None:
        """Return the file that a save writes after all others; None: there is no such file."""
        return None

    def open_to_check(self, checkpoint: Path) -> tuple[Checkpoint, DamagedError | None]:
        """Open a checkpoint, and check what no restore reads; also return its graph's error."""
        return self.open(checkpoint), None

    def is_temporary(self, path: Path) -> bool:
        """Return whether a file or folder is a temporary one that a save renames at its end."""
        return False

    def orphans(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return, by checkpoint, the files that lack the file without which there is none."""
        return {}


@dataclass(frozen=True)
class Location:
    """The path and format of a checkpoint; `chosen` says why a folder resolved to it."""

    path: Path
    format: Format
    chosen: str = ""

    def is_within(self, other: "Location") -> bool:
        """Return whether this is the other checkpoint, or a part of it in its folder."""
        inside = other.format.is_folder and other.path in self.path.parents
        return inside or self.path == other.path

    def open(self) -> Checkpoint:
        """Open the checkpoint; `chosen` is kept where one of several could have been chosen."""
        checkpoint, format_ = self.format.open(self.path), self.format
        is_chosen = format_.state_file or format_.is_folder
        return replace(checkpoint, chosen=self.chosen) if is_chosen else checkpoint
