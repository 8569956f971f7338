"""How the fixed twins put a checkpoint in its place: write, fsync, rename, fsync of the folder."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def commit_file(path: Path, write: Callable[[Path], object]) -> None:
    """Replace a file by what `write` writes under a temporary name in its folder."""
    # `.keras` and `.weights.h5` must stay at the end of the name.
    temporary = path.with_name(f"tmp-{path.name}")
    write(temporary)
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def commit_folder(folder: Path, step: int, write: Callable[[Path], object]) -> None:
    """Add the folder of a step, with all that `write` writes, then delete those of other steps."""
    temporary = folder / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    write(temporary)
    for path in sorted(temporary.rglob("*"), reverse=True):
        sync(path)
    sync(temporary)
    place = folder / f"step-{step:06}"
    temporary.replace(place)
    sync(folder)
    for other in folder.glob("step-*"):
        if other != place:
            shutil.rmtree(other)


def newest(folder: Path) -> Path | None:
    """Return the folder of the last step that was committed; None: there is none."""
    return max(folder.glob("step-*"), default=None)
