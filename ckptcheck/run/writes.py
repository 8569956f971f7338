"""Find which files outside the folder of its runs a job writes, moves or deletes.

Python's audit events (PEP 578) report them. They miss files that a framework writes in C++.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ckptcheck.run.file_audit import absolute
from ckptcheck.run.run import Facts

NEW, CHANGED, DELETED = "new", "changed", "deleted"

# By audit event: the positions of the paths that it changes.
_CHANGES = {
    "os.link": (1,),
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.symlink": (1,),
    "os.truncate": (0,),
    "shutil.rmtree": (0,),
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

# When a file was modified, in nanoseconds since 1970, its size and its inode; None: there is none.
_State = tuple[int, int, int] | None


class Writes:
    """The files that this process writes, each with its state before that.

    An audit hook cannot be removed: it stays until the process ends.

    Attributes:
        began: When the collection began, in seconds since 1970.
        touched: The state of each file before this process wrote it, by path.
    """

    def __init__(self) -> None:
        self.began = time.time()
        self.touched: dict[str, _State] = {}
        self._temporary: list[str] = []
        self._here = Path.cwd()  # a job may change it
        sys.addaudithook(self._on_event)

    def add_earlier(self, touched: Mapping[str, Any]) -> None:
        """Add what a different process, which is done, had touched before this one did."""
        self.touched |= {path: tuple(state) if state else None for path, state in touched.items()}

    def outside(self, *own: Path) -> dict[str, tuple[str, float]]:
        """Return what became of each file outside some folders, and when it was modified.

        The time is that of the file before, in seconds since 1970; 0: there was no file. Paths
        below the working directory are relative to it. Temporary files, caches and devices do not
        count, and neither do files that are as they were. A folder counts once it is deleted.
        """
        spared = [*own, *map(Path, (*self._temporary, *_elsewhere(self._here)))]
        places = [place.resolve() for place in spared]
        return {
            self._named(path): (_change(before, after), before[0] / 1e9 if before else 0.0)
            for path, before in sorted(self.touched.items())
            if before != (after := _state(path))
            and not Path(path).is_dir()
            and not _is_below(path, places)
        }

    def _named(self, path: str) -> str:
        inside = Path(path).is_relative_to(self._here)
        return os.path.relpath(path, self._here) if inside else path

    def _on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            if arguments[2] & _WRITES:
                self._touch(arguments[0])
        elif event in ("tempfile.mkstemp", "tempfile.mkdtemp"):
            self._temporary.append(os.fsdecode(arguments[0]))
        elif event in _CHANGES and not _is_in_open_folder(event, arguments):
            for position in _CHANGES[event]:
                self._touch(arguments[position])

    def _touch(self, path: Any) -> None:
        name = absolute(path)
        if name is not None and name not in self.touched:
            self.touched[name] = _state(name)


def made_of(runs: Iterable[Facts]) -> dict[str, str]:
    """Return what became of each file that runs of one job wrote; what one of them made is new."""
    runs = list(runs)
    began = min((facts.started for facts in runs), default=0.0)
    return together(
        {
            name: change if modified < began else NEW
            for name, (change, modified) in facts.wrote.items()
            # Such a file was made by one run and deleted by a different one.
            if change != DELETED or modified < began
        }
        for facts in runs
    )


def together(changes: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return what became of each file in several runs: what one found there is not new."""
    files: dict[str, str] = {}
    for change in changes:
        files |= {name: how for name, how in change.items() if how != NEW or name not in files}
    return dict(sorted(files.items()))


def _state(path: str) -> _State:
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _change(before: _State, after: _State) -> str:
    return DELETED if after is None else CHANGED if before else NEW


def _is_in_open_folder(event: str, arguments: tuple[Any, ...]) -> bool:
    """Return whether a path is relative to an open folder, as within `shutil.rmtree`."""
    if event == "os.truncate":
        return False  # ends with a length
    folders = arguments[-2:] if event in ("os.link", "os.rename") else arguments[-1:]
    return any(isinstance(each, int) and each != -1 for each in folders)


def _elsewhere(here: Path) -> Iterator[str]:
    """Yield the folders of temporary files, caches and devices that do not hold a job's files."""
    yield from ("/dev", "/proc", "/sys", sys.prefix)
    # Not listed: what a traced process lists counts as its input.
    caches = (Path.home() / name for name in (".cache", ".config", ".keras", ".local"))
    for folder in (Path(tempfile.gettempdir()), *caches):
        if not here.is_relative_to(folder.resolve()):
            yield str(folder)


def _is_below(path: str, places: list[Path]) -> bool:
    # The last part may be a link; what it leads to is not written by moving or deleting it.
    place = Path(path).parent.resolve() / Path(path).name
    return "__pycache__" in place.parts or any(map(place.is_relative_to, places))
