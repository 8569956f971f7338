"""The files of a distributed checkpoint."""

from collections.abc import Iterator
from pathlib import Path

METADATA, DATA = ".metadata", ".distcp"


def own_files(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder that programs save: hidden ones are others, but for one name."""
    for each in sorted(folder.iterdir()):
        if each.is_file() and (each.name == METADATA or not each.name.startswith(".")):
            yield each
