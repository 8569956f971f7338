"""What the texts of `inspect`, `diff` and `fsck` share: how wide they are, their headings, and how numbers are written."""

import shutil
import sys

from ckptcheck.checkpoints import Checkpoint
from ckptcheck.filetools.tables import counted, size


def width() -> int | None:
    """Return how wide a line may be: that of the terminal; None where nobody looks at one."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def heading(checkpoint: Checkpoint, letter: str = "") -> list[str]:
    """Say which checkpoint is meant, what it is, and how it was found."""
    files, tensors = counted(len(checkpoint.files), "file"), counted(len(checkpoint.entries), "tensor")
    first = f"{letter}{checkpoint.path}: {checkpoint.format}, {tensors}, {size(checkpoint.size)} in {files}"
    return [first, *([f"{' ' * len(letter)}({checkpoint.chosen})"] if checkpoint.chosen else [])]


def number(value: float | None) -> str:
    """Return a number as it stands in a table: whole ones of up to nine digits as they are, others to three."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) and abs(value) < 10**9 else f"{value:.3g}"
