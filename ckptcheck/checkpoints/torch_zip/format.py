"""The format of `torch.save`: which files are of it. Their content decides, not their names.

The reader is imported on first use: its imports take a tenth of a command's start-up time.
"""

from collections.abc import Iterator
from pathlib import Path

from ckptcheck.checkpoints.checkpoint import Checkpoint
from ckptcheck.checkpoints.errors import DamagedError
from ckptcheck.checkpoints.first_bytes import ZIP
from ckptcheck.checkpoints.format import Format, Location

_PICKLE = b"data.pkl"
_HEAD = 30  # bytes of a member's header, before its name
# Under such a name, a file is what the name says, and damaged.
_OTHERS = (".index", ".keras", ".h5", ".hdf5", ".safetensors", ".distcp")


def _open(path: Path) -> Checkpoint:
    from ckptcheck.checkpoints.torch_zip.file import open_torch  # see above

    return open_torch(path)


def is_torch(file: Path) -> bool:
    """Return whether a file is a zip archive that begins as those of `torch.save` do."""
    if file.name.endswith(_OTHERS) or not file.is_file():
        return False
    try:
        with file.open("rb") as opened:
            head = opened.read(_HEAD)
            name = opened.read(int.from_bytes(head[26:28], "little"))
    except OSError:
        return False
    return head.startswith(ZIP) and name.rpartition(b"/")[2] == _PICKLE


class _TorchZip(Format):
    @property
    def patterns(self) -> tuple[str, ...]:
        return (*super().patterns, "*.bin and *.ckpt of PyTorch")

    def of_file(self, file: Path) -> Location | None:
        return Location(file, self) if self.recognises(file.name) or is_torch(file) else None

    def in_folder(self, folder: Path) -> Iterator[Path]:
        return (file for file in folder.iterdir() if file.is_file() and self.of_file(file))

    def open_to_check(self, checkpoint: Path) -> tuple[Checkpoint, DamagedError | None]:
        from ckptcheck.checkpoints.torch_zip.file import open_torch  # see above

        opened = open_torch(checkpoint)
        opened.check()
        return opened, None


TORCH_ZIP = _TorchZip(
    "PyTorch file",
    (".pt", ".pth"),
    _open,
    on_damage="torch.load compares no checksum: it loads the wrong values silently, or raises",
)
