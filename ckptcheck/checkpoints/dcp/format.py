"""The format of distributed checkpoints: a folder with `.metadata`, and `.distcp` files.

The reader is imported on first use: its imports take a tenth of a command's start-up time.
"""

from collections.abc import Iterator
from pathlib import Path

from ckptcheck.checkpoints.checkpoint import Checkpoint
from ckptcheck.checkpoints.format import Format, Location

_METADATA, _DATA = ".metadata", ".distcp"
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
        return name == _METADATA or name.endswith(_DATA)

    def of_file(self, file: Path) -> Location | None:
        return self.at(file.parent) if self.recognises(file.name) else None

    def at(self, path: Path) -> Location | None:
        return Location(path, self) if _is_saved(path) else None

    def in_folder(self, folder: Path) -> Iterator[Path]:
        if _is_saved(folder):
            yield folder

    def files(self, checkpoint: Path) -> Iterator[Path]:
        for each in sorted(checkpoint.iterdir()):
            if each.is_file() and (each.name == _METADATA or not each.name.startswith(".")):
                yield each

    def written_last(self, checkpoint: Path) -> Path | None:
        return checkpoint / _METADATA

    def is_temporary(self, path: Path) -> bool:
        return path.name == f"{_METADATA}.tmp"


def _is_saved(folder: Path) -> bool:
    """Return whether a folder has data of PyTorch's, or metadata: other programs use that name."""
    if any(folder.glob(f"*{_DATA}")):
        return True
    metadata = folder / _METADATA
    if not metadata.is_file():
        return False
    try:
        with metadata.open("rb") as file:
            return _CLASS in file.read(_HEAD)
    except OSError:
        return False


DCP = _Distributed(
    "distributed checkpoint",
    (_DATA,),
    _open,
    is_folder=True,
    on_damage="a restore compares no checksum: it loads the wrong values silently, or raises",
)
