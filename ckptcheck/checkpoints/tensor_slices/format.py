"""The format of V1 checkpoints: which files are one. No name shows it, so their content decides."""

import re
from collections.abc import Iterator
from pathlib import Path

from ckptcheck.checkpoints import state_file
from ckptcheck.checkpoints.checkpoint import Checkpoint
from ckptcheck.checkpoints.errors import DamagedError
from ckptcheck.checkpoints.format import Format, Location
from ckptcheck.checkpoints.tensor_bundle.bundle import is_index
from ckptcheck.checkpoints.tensor_bundle.format import META
from ckptcheck.checkpoints.tensor_bundle.table import check_unread, is_table
from ckptcheck.checkpoints.tensor_slices.shards import checkpoint_of, files_of

# How a file starts: a row whose key shares nothing and is empty, the row's length, and field 1 of
# `SavedTensorSlices`. The row of a V2 index starts with a number field instead.
_START = re.compile(rb"\0\0[\x80-\xff]{0,4}[\0-\x7f]\n", re.DOTALL)
# Endings of files that V2 savers write: their content may be anything.
_OTHERS = re.compile(r".*\.(index|meta)|.*\.data-\d{5}-of-\d{5}")


def is_slices(file: Path) -> bool:
    """Return whether a file is a V1 checkpoint, intact or damaged, or a shard of one."""
    if _OTHERS.fullmatch(file.name) or not file.is_file():
        return False
    try:
        with file.open("rb") as opened:
            start = opened.read(8)
        return bool(_START.match(start)) or (is_table(file) and not is_index(file))
    except OSError:
        return False


def _open(path: Path) -> Checkpoint:
    from ckptcheck.checkpoints.tensor_slices.slices import open_slices  # rarely needed

    return open_slices(path)


class _TensorSlices(Format):
    def recognises(self, name: str) -> bool:
        return False

    def of_file(self, file: Path) -> Location | None:
        if file.suffix == META:
            return self.at(file.with_suffix(""))
        return Location(checkpoint_of(file), self) if is_slices(file) else None

    def at(self, path: Path) -> Location | None:
        """Return the checkpoint at a prefix, or at the pattern that state files name."""
        if self.exists(path):
            return Location(path, self)
        if path.exists() or not path.parent.is_dir():
            return None
        named = [
            each
            for each in self.in_folder(path.parent)
            if each.name.startswith(f"{path.name}-?????-of-")
        ]
        return Location(named[0], self) if len(named) == 1 else None

    def exists(self, path: Path) -> bool:
        return any(map(is_slices, files_of(path)))

    def in_folder(self, folder: Path) -> Iterator[Path]:
        yield from dict.fromkeys(map(checkpoint_of, filter(is_slices, folder.iterdir())))

    def files(self, checkpoint: Path) -> Iterator[Path]:
        return (file for file in files_of(checkpoint) if file.is_file())

    def open_to_check(self, checkpoint: Path) -> tuple[Checkpoint, DamagedError | None]:
        slices = _open(checkpoint)
        for file in slices.files:
            check_unread(file)
        return slices, None


TENSOR_SLICES = _TensorSlices("V1 checkpoint", (), _open, state_file=state_file.NAME)
