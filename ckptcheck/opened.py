"""Which files a restore opens: one that reads what a crash would not have left proves nothing.

Python's audit events tell of every file that is opened in Python (PEP 578). What a framework opens in C++ is not seen; for
that the checkpoint itself is searched for the path of the folder it was saved to.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Pointers to a checkpoint are small; tensors need not be searched.
LARGEST_POINTER = 1 << 16

_listening: set[str] | None = None


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or _listening is None:
        return
    path, mode, flags = arguments
    if isinstance(path, str | bytes | os.PathLike) and _reads(mode, flags):
        _listening.add(os.path.abspath(os.fsdecode(arguments[0])))  # noqa: PTH100  # called for every file: cheaply


def _reads(mode: str | None, flags: int) -> bool:
    return flags & os.O_ACCMODE != os.O_WRONLY if mode is None else "r" in mode or "+" in mode


@contextmanager
def opened_files() -> Iterator[set[str]]:
    """Collect the absolute paths of the files that are opened for reading meanwhile.

    The audit hook cannot be taken back: it stays, and hears nothing more.
    """
    global _listening
    found: set[str] = set()
    _listening = found
    sys.addaudithook(_hear)
    try:
        yield found
    finally:
        _listening = None


def written_since(paths: set[str], since: float, but: list[Path]) -> list[Path]:
    """Return those of the files that were written at `since` (seconds) or later and lie in none of the folders `but`."""
    spared = [folder.resolve() for folder in but]
    found = []
    for path in map(Path, sorted(paths)):
        real = path.resolve()
        if "__pycache__" in real.parts or any(real.is_relative_to(folder) for folder in spared):
            continue
        if real.is_file() and real.stat().st_mtime >= since:
            found.append(real)
    return found


def pointer_to(folder: Path, within: Path) -> Path | None:
    """Return a small file of the folder `within` that names the folder `folder` by its absolute path, if there is one."""
    path = os.fsencode(folder.resolve())
    for file in sorted(within.rglob("*")):
        if file.is_file() and file.stat().st_size <= LARGEST_POINTER and path in file.read_bytes():
            return file
    return None
