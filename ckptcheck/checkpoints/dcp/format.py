"""The format of distributed checkpoints: a folder with `.metadata`, and `.distcp` files.

The reader is imported on first use: its imports take a tenth of a command's start-up time.
"""

from collections.abc import Iterator
from pathlib import Path

from ckptcheck.checkpoints.checkpoint import Checkpoint
from ckptcheck.checkpoints.dcp.layout import DATA, METADATA, own_files
from ckptcheck.checkpoints.format import Format, Location

_CLASS = b"torch.distributed.checkpoint.metadata"
_HEAD = 256


def _open(folder: Path) -> Checkpoint:
    from ckptcheck.checkpoints.dcp.file import open_folder  # see above

    return open_folder(folder)


class _Distributed(Format):
    @property
    def patterns(self) -> tuple[str, ...]:
        return ("a folder with .metadata and *.distcp",)

    def recognises(self, name: str) -> bool:
        return name == METADATA or name.endswith(DATA)

    def of_file(self, file: Path) -> Location | None:
        return self.at(file.parent) if self.recognises(file.name) else None

    def at(self, path: Path) -> Location | None:
        return Location(path, self) if self.holds(path) else None

    def holds(self, folder: Path) -> bool:
        return _is_saved(folder)

    def in_folder(self, folder: Path) -> Iterator[Path]:
        if _is_saved(folder):
            yield folder

    def files(self, checkpoint: Path) -> Iterator[Path]:
        return own_files(checkpoint)

    def written_last(self, checkpoint: Path) -> Path | None:
        return checkpoint / METADATA

    def is_temporary(self, path: Path) -> bool:
        return path.name == f"{METADATA}.tmp"


def _is_saved(folder: Path) -> bool:
    """Return whether a folder has data of PyTorch's, or metadata: other programs use that name."""
    if any(folder.glob(f"*{DATA}")):
        return True
    metadata = folder / METADATA
    if not metadata.is_file():
        return False
    try:
        with metadata.open("rb") as file:
            return _CLASS in file.read(_HEAD)
    except OSError:
        return False


DCP = _Distributed(
    "distributed checkpoint",
    (DATA,),
    _open,
    is_folder=True,
    on_damage="a restore compares no checksum: it loads the wrong values silently, or raises",
)
