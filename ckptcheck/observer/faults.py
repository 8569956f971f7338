"""A disk that fails the program in the middle of a save: it is full, cuts a write short, or is
read-only.

None of it needs privileges, and each is met by every writer of the process, in C++ as in Python. A
limit on the size of files (`RLIMIT_FSIZE`) fails each write past it, and cuts one short that begins
before it; the modes of files and folders forbid to write.
"""

import contextlib
import functools
import json
import os
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from ckptcheck.observer.request import Request
from ckptcheck.run.folder import write_whole

# In the folder of the record: the fault is there, and the modes that the files had before it.
FAULT = "fault.json"
_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


class Disk:
    """What the program finds its disk to be.

    Args:
        request: what the launcher asks for, with the fault.
    """

    def __init__(self, request: Request) -> None:
        self._fault = request.fault
        self._record, self._place = Path(request.folder), Path(request.writes)
        self._limit: int | None = None  # the limit that is in force
        self._before = 0  # the limit without the fault

    def at_step(self, done: int) -> None:
        """Put the fault in place before a step, if this is the one; it stays to the end."""
        fault = self._fault
        if fault is None or done < fault.after:
            return
        self._fault = None
        if fault.limit is None:
            modes = dict(_modes(self._place))
            write_whole(self._record / FAULT, {"modes": modes})
            for path, mode in modes.items():
                _set_mode(self._place / path, mode & ~_WRITABLE)
        elif _ignores_the_signal():
            write_whole(self._record / FAULT, {"modes": {}})
            self._before = _limit_files(fault.limit)
            self._limit = fault.limit

    @contextlib.contextmanager
    def lifted(self) -> Iterator[None]:
        """Let this process write: the observer's own files are no part of the fault."""
        limit, self._limit = self._limit, None
        if limit is None:
            yield
            return
        _limit_files(self._before)
        try:
            yield
        finally:
            _limit_files(limit)
            self._limit = limit


class _Observes(Protocol):
    disk: Disk


_Observer = TypeVar("_Observer", bound=_Observes)
_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def with_disk(
    method: Callable[Concatenate[_Observer, _Given], _Result],
) -> Callable[Concatenate[_Observer, _Given], _Result]:
    """Return a method of an observer during which the limit is lifted."""

    @functools.wraps(method)
    def wrapped(self: _Observer, /, *given: _Given.args, **named: _Given.kwargs) -> _Result:
        with self.disk.lifted():
            return method(self, *given, **named)

    return wrapped


def is_in_place(record: Path) -> bool:
    """Return whether a run met its fault, by the folder of its record."""
    return (record / FAULT).exists()


def make_writable(record: Path, place: Path) -> None:
    """Give files and folders the modes back that they had before a fault.

    Args:
        record: the folder of the run's record.
        place: the folder that the command writes into.
    """
    if not is_in_place(record):
        return
    modes = json.loads((record / FAULT).read_text(encoding="utf-8"))["modes"]
    for path, mode in modes.items():  # a folder comes before what is in it
        _set_mode(place / path, mode)


def _modes(place: Path) -> Iterator[tuple[str, int]]:
    """Yield the mode of a folder and of all in it, by relative path. What links lead to is left."""
    for folder, _, names in os.walk(place):
        for path in (Path(folder), *(Path(folder, name) for name in names)):
            with contextlib.suppress(OSError):  # deleted meanwhile
                if not path.is_symlink():
                    yield os.path.relpath(path, place), stat.S_IMODE(path.stat().st_mode)


def _set_mode(path: Path, mode: int) -> None:
    with contextlib.suppress(OSError):  # deleted meanwhile, or of a different owner
        if not path.is_symlink():
            path.chmod(mode)


def _limit_files(limit: int) -> int:
    """Set the size that no file can grow past; return what it was."""
    import resource  # not on every system

    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    return before


def _ignores_the_signal() -> bool:
    """Ignore the signal of a write past the limit, as Python does; return whether that is so.

    A process that the signal kills did not meet a full disk.
    """
    if signal.getsignal(signal.SIGXFSZ) != signal.SIG_IGN:
        # Set by a program of its own, such as one that embeds Python.
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        except ValueError:  # not in the main thread
            return False
    return True
