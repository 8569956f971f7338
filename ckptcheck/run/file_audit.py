"""Find which files a restore opens: reading a file that no crash leaves behind proves nothing.

Python's audit events (PEP 578) report every file that Python opens. They miss files that a
framework opens in C++; so the checkpoint itself is searched for the path of its original folder.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Largest size, in bytes, of a file that points to a checkpoint; larger files hold tensors.
LARGEST_POINTER = 1 << 16

# For each file, whether it was first opened for reading: a file first opened for writing is the
# restore's own, such as an unpacked copy.
_collecting: dict[str, bool] | None = None


def _on_audit_event(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or _collecting is None:
        return
    path, _, flags = arguments
    if isinstance(path, str | bytes | os.PathLike):
        # A file that is truncated or new at its opening holds nothing from before, even where it
        # is read afterwards. AutoGraph's temporary files are such files.
        is_empty = flags & (os.O_TRUNC | os.O_EXCL)
        reads = not is_empty and flags & os.O_ACCMODE != os.O_WRONLY
        _collecting.setdefault(os.path.abspath(os.fsdecode(path)), reads)  # noqa: PTH100  # called often


@contextmanager
def opened_files() -> Iterator[dict[str, bool]]:
    """Collect the files opened in the block: absolute path, and whether first opened for reading.

    An audit hook cannot be removed: afterwards it stays, and collects nothing.
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
    """Return the files that were read although written at `since` (seconds since 1970) or later.

    Files in the folders `but` do not count.
    """
    # Virtual files always look new.
    spared = [*(folder.resolve() for folder in but), *map(Path, ("/proc", "/sys", "/dev"))]
    read = [Path(name).resolve() for name, reads in sorted(opened.items()) if reads]
    candidates = [
        path
        for path in read
        if "__pycache__" not in path.parts and not any(map(path.is_relative_to, spared))
    ]
    return [path for path in candidates if path.is_file() and path.stat().st_mtime >= since]


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
