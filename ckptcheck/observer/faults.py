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
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from ckptcheck.observer.request import Request
from ckptcheck.run.folder import write_whole

# In the folder of the record: the fault is there, and what the folder of the command held then.
FAULT = "fault.json"
# The mode, and of a file the size and the time of change.
_Held = list[int]
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
        held = dict(_held(self._place))
        if fault.limit is None:
            write_whole(self._record / FAULT, {"held": held})
            for path, (mode, *_) in held.items():
                _set_mode(self._place / path, mode & ~_WRITABLE)
        elif _ignores_the_signal():
            write_whole(self._record / FAULT, {"held": held})
            self._before = _limit_files(fault.limit)
            self._limit = fault.limit
            _spare_workers(self)

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

    def end(self) -> None:
        """Lift the limit for good, in a process of its own that saves nothing."""
        if self._limit is not None:
            self._limit = None
            _limit_files(self._before)


def _spare_workers(disk: Disk) -> None:
    """Let workers start that load data: a full disk leaves room for what they share in memory.

    They are daemons, which a process that saves is not: it would be killed at the end.
    """
    from multiprocessing.process import BaseProcess  # few programs need the fault

    original = BaseProcess.run

    @functools.wraps(original)
    def run(self: BaseProcess) -> None:
        if self.daemon:
            disk.end()
        original(self)

    BaseProcess.run = run  # type: ignore[method-assign]
    with contextlib.suppress(ImportError):  # not on every system
        from multiprocessing.synchronize import SemLock  # as above

        make = SemLock.__init__

        @functools.wraps(make)
        def init(self: Any, *given: Any, **named: Any) -> None:
            with disk.lifted():
                make(self, *given, **named)

        SemLock.__init__ = init  # type: ignore[method-assign]


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
    for path, (mode, *_) in _noted(record).items():  # a folder comes before what is in it
        _set_mode(place / path, mode)


def is_as_before(record: Path, place: Path) -> bool:
    """Return whether a folder holds the same as when the fault began: nothing was written since."""
    before = {path: tuple(change) for path, (_, *change) in _noted(record).items()}
    return before == {path: tuple(change) for path, (_, *change) in _held(place)}


def _noted(record: Path) -> Mapping[str, _Held]:
    held: Mapping[str, _Held] = json.loads((record / FAULT).read_text(encoding="utf-8"))["held"]
    return held


def _held(place: Path) -> Iterator[tuple[str, _Held]]:
    """Yield what is known of a folder and of all in it, by relative path, but for links."""
    for folder, _, names in os.walk(place):
        for path in (Path(folder), *(Path(folder, name) for name in names)):
            with contextlib.suppress(OSError):  # deleted meanwhile
                found = path.lstat()
                is_file = stat.S_ISREG(found.st_mode)
                change = [found.st_size, found.st_mtime_ns] if is_file else [0, 0]
                if not stat.S_ISLNK(found.st_mode):
                    yield os.path.relpath(path, place), [stat.S_IMODE(found.st_mode), *change]


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
