"""Which files a restore opens: one that reads what a crash would not have left proves nothing.

Python's audit events tell of every file that is opened in Python (PEP 578). What a framework opens in C++ is not seen; for
that the checkpoint itself is searched for the path of the folder it was saved to.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Pointers to a checkpoint are small; tensors need not be searched.
LARGEST_POINTER = 1 << 16

# Of each file, whether it was opened for reading first: what was written first is the restore's own, an unpacked copy.
_collecting: dict[str, bool] | None = None


def _on_audit_event(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or _collecting is None:
        return
    path, mode, flags = arguments
    if isinstance(path, str | bytes | os.PathLike):
        reads = flags & os.O_ACCMODE != os.O_WRONLY if mode is None else "r" in mode or "+" in mode
        _collecting.setdefault(os.path.abspath(os.fsdecode(path)), reads)  # noqa: PTH100  # called often


@contextmanager
def opened_files() -> Iterator[dict[str, bool]]:
    """Collect the absolute paths of the files that are opened meanwhile, and whether each was opened for reading first.

    The audit hook cannot be taken back: it stays, and collects nothing more.
    """
    global _collecting
    opened: dict[str, bool] = {}
    _collecting = opened
    sys.addaudithook(_on_audit_event)
    try:
        yield opened
    finally:
        _collecting = None


def written_since(opened: Mapping[str, bool], since: float, but: list[Path]) -> list[Path]:
    """Return the files that were read, were written at `since` (seconds) or later, and lie in none of the folders `but`."""
    # The system makes some files when they are read: they are always new.
    spared = [*(folder.resolve() for folder in but), *map(Path, ("/proc", "/sys", "/dev"))]
    read = [Path(name).resolve() for name, reads in sorted(opened.items()) if reads]
    candidates = [
        path
        for path in read
        if "__pycache__" not in path.parts and not any(map(path.is_relative_to, spared))
    ]
    return [path for path in candidates if path.is_file() and path.stat().st_mtime >= since]


def lead_to_copy(copy: Path, original: Path) -> Path | None:
    """Let the small text files of a copied checkpoint that name its original folder name the copy.

    TensorFlow's state file does, unless it was told to write relative paths: read as it is, it would lead away from what a
    crash leaves. Returns a file that names the original and cannot be changed, because it is no text; None if there is none.
    """
    old, new = os.fsencode(original.resolve()), os.fsencode(copy.resolve())
    for file in sorted(copy.rglob("*")):
        if (
            not file.is_file()
            or file.stat().st_size > LARGEST_POINTER
            or old not in (content := file.read_bytes())
        ):
            continue
        try:
            content.decode()
        except UnicodeDecodeError:
            return file
        file.write_bytes(content.replace(old, new))
    return None
