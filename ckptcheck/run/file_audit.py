"""Find which files a restore opens: reading a file that no crash leaves behind proves nothing.

Python's audit events (PEP 578) report every file that Python opens. They miss files that a
framework opens in C++; so the checkpoint itself is searched for the path of its original folder.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Largest size, in bytes, of a file that points to a checkpoint; larger files hold tensors.
LARGEST_POINTER = 1 << 16


class FileAudit:
    """The files that this process reads in the block of `reading`, and those that it made.

    An audit hook cannot be removed: it stays until the process ends.
    """

    def __init__(self) -> None:
        # Files that were empty when the process opened them, and new folders.
        self._made: set[str] = set()
        self._read: set[str] = set()
        self._is_reading = False
        sys.addaudithook(self._on_event)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Collect the files that are read in the block."""
        self._is_reading = True
        try:
            yield
        finally:
            self._is_reading = False

    def written_since(self, since: float, but: list[Path]) -> list[Path]:
        """Return the files that were read although written since `since`, seconds since 1970.

        Files in the folders `but`, and those that this process made, do not count.
        """
        # Virtual files always look new.
        spared = [*(folder.resolve() for folder in but), *map(Path, ("/proc", "/sys", "/dev"))]
        paths = [Path(name).resolve() for name in sorted(self._read)]
        candidates = [
            path
            for path in paths
            if "__pycache__" not in path.parts and not any(map(path.is_relative_to, spared))
        ]
        return [path for path in candidates if path.is_file() and path.stat().st_mtime >= since]

    def _is_own(self, name: str) -> bool:
        """Return whether this process made a file or a folder around it."""
        return any(str(each) in self._made for each in (Path(name), *Path(name).parents))

    def _on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self._on_open(*arguments)
        elif event == "os.mkdir":
            path = absolute(arguments[0])
            if path is not None and not os.path.lexists(path):
                self._made.add(path)
        elif event == "os.rename":
            source, target = map(absolute, arguments[:2])
            if target is not None and source in self._made:
                self._made.add(target)

    def _on_open(self, path: Any, _: Any, flags: int) -> None:
        name = absolute(path)
        if name is None:
            return
        # A file that is truncated or new at its opening holds nothing from before, even where it
        # is read afterwards. AutoGraph's temporary files are such files.
        is_empty = flags & (os.O_TRUNC | os.O_EXCL)
        if is_empty or (flags & os.O_CREAT and not os.path.lexists(name)):
            self._made.add(name)
        elif self._is_reading and flags & os.O_ACCMODE != os.O_WRONLY and not self._is_own(name):
            self._read.add(name)


def absolute(path: Any) -> str | None:
    """Return the absolute path in an audit event; None for a descriptor."""
    if not isinstance(path, str | bytes | os.PathLike):
        return None
    return os.path.abspath(os.fsdecode(path))  # noqa: PTH100  # called often


def lead_to_copy(copy: Path, original: Path) -> Path | None:
    """Redirect a copied checkpoint to itself: rewrite the original path in its small text files.

    TensorFlow's state file holds absolute paths by default, so a restore of the copy would read the
    original folder.

    Returns:
        The first binary file that names the original folder, which cannot be rewritten; or None.
    """
    return redirect(copy, original, copy)


def redirect(folder: Path, original: Path, target: Path) -> Path | None:
    """Rewrite a path in the small text files of a folder; return a binary file that holds it."""
    old, new = os.fsencode(original.resolve()), os.fsencode(target.resolve())
    for file in sorted(folder.rglob("*")):
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
