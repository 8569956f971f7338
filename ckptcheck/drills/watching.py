"""Watch the folder and the steps of a command from outside, and kill it when a point is reached."""

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from inotify_simple import INotify, flags

from ckptcheck.drills.points import Trigger
from ckptcheck.drills.saves import (
    CLOSE,
    CREATE,
    DELETE,
    MODIFY,
    MOVE,
    FileEvent,
    is_of_save,
    without_repeats,
)
from ckptcheck.observer.observation import PROGRESS

_LOOK = 1  # milliseconds between two looks at the steps
_WORDS = {
    flags.CREATE: CREATE,
    flags.MODIFY: MODIFY,
    flags.CLOSE_WRITE: CLOSE,
    flags.MOVED_FROM: DELETE,
    flags.MOVED_TO: MOVE,
    flags.DELETE: DELETE,
}
_MASK = flags.CREATE | flags.MODIFY | flags.CLOSE_WRITE | flags.MOVED_FROM | flags.MOVED_TO
_MASK |= flags.DELETE


@dataclass(frozen=True)
class Death:
    """When a command was sent its first signal.

    Attributes:
        done: the steps that it had done.
        at: the time, in seconds since 1970.
    """

    done: int
    at: float


class FileEvents:
    """The file events in a folder and in those below it, as the kernel reports them (inotify)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._inotify = INotify()
        self._folders: dict[int, str] = {}
        self._add(str(folder))

    def close(self) -> None:
        """Report no event any more."""
        self._inotify.close()

    def read(self, timeout: int) -> Iterator[tuple[str, str]]:
        """Yield the path of each event, relative to the folder, and what happened.

        Args:
            timeout: how long to wait for the first one, in milliseconds.
        """
        if str(self._folder) not in self._folders.values():  # the program makes it anew
            self._add(str(self._folder))
            yield from ((self._inside(name), CREATE) for name in _files(str(self._folder)))
        for event in self._inotify.read(timeout=timeout):
            if event.mask & flags.IGNORED:
                self._folders.pop(event.wd, None)
            if event.wd not in self._folders or not event.name:
                continue
            path = f"{self._folders[event.wd]}/{event.name}"
            if event.mask & flags.ISDIR:
                if event.mask & (flags.CREATE | flags.MOVED_TO):
                    self._add(path)
                    # What was done in it before it was watched.
                    missed = (MOVE,) if event.mask & flags.MOVED_TO else (CREATE, MODIFY, CLOSE)
                    for name in _files(path):
                        yield from ((self._inside(name), word) for word in missed)
                continue
            for flag, word in _WORDS.items():
                if event.mask & flag:
                    yield self._inside(path), word

    def _inside(self, path: str) -> str:
        return os.path.relpath(path, self._folder)

    def _add(self, path: str) -> None:
        for folder, _, _ in os.walk(path):
            with contextlib.suppress(OSError):  # deleted meanwhile
                self._folders[self._inotify.add_watch(folder, _MASK)] = folder


def _files(folder: str) -> Iterator[str]:
    for path, _, names in os.walk(folder):
        yield from (f"{path}/{name}" for name in names)


class Watching(threading.Thread):
    """Watches one run of a command, notes its file events, and kills it at a point.

    Args:
        folder: the folder that the command writes into.
        record: the folder of the run's record, with its progress.
        trigger: when the command is killed; None: never.
        at_change: called with the steps done after each change of a file, while the command is
            stopped; None: it is never stopped.

    Attributes:
        events: the changes of files.
        steps_at: the time at which each number of steps was first seen, in seconds since 1970.
        death: when the first signal was sent; None: the command ended before.
    """

    def __init__(
        self,
        folder: Path,
        record: Path,
        trigger: Trigger | None,
        at_change: Callable[[int], None] | None = None,
    ) -> None:
        super().__init__(daemon=True)
        self.events: list[FileEvent] = []
        self.steps_at: dict[int, float] = {}
        self.death: Death | None = None
        self._progress = record / PROGRESS
        self._trigger = trigger
        self._at_change = at_change
        self._files = FileEvents(folder)
        self._process = 0
        self._ended = threading.Event()
        self._descriptor = -1

    def began(self, process: int) -> None:
        """Begin to watch a command, given the id of the process that leads its group."""
        self._process = process
        self.start()

    def ended(self) -> None:
        """Stop watching: the command has ended."""
        self._ended.set()
        if self._process:
            self.join()
        self._files.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def run(self) -> None:
        """Watch, until the command has ended or is killed."""
        last = math.inf
        while not self._ended.is_set():
            if self.death is not None and time.time() > last:
                self._kill()
                return
            changed = list(self._files.read(timeout=_LOOK))
            done = self._done()
            if done not in self.steps_at:
                self.steps_at[done] = time.time()
            if changed and self._at_change:
                self._send(signal.SIGSTOP)
                self._at_change(done)
                self._send(signal.SIGCONT)
            now = time.time()
            self.events += [FileEvent(done, now, path, what) for path, what in changed]
            if self.death is None and self._trigger and self._is_reached(self._trigger, done):
                self.death = Death(done, time.time())
                if self._trigger.grace is None:
                    self._kill()
                    return
                self._send(signal.SIGTERM)
                last = time.time() + self._trigger.grace

    def _is_reached(self, trigger: Trigger, done: int) -> bool:
        if done >= trigger.steps:
            return True
        if trigger.save < 0 or done < trigger.save:
            return False
        events = (each for each in self.events if each.path not in trigger.ignored)
        found = [each for each in events if is_of_save(each, trigger.save)]
        waited_for = without_repeats(found)[trigger.events - 1 : trigger.events]
        if not waited_for:
            return False
        left = waited_for[0].at + trigger.seconds - time.time()
        if 0 < left < _LOOK / 1000:
            time.sleep(left)
        return left < _LOOK / 1000

    def _done(self) -> int:
        """Return the steps that the command has done."""
        with contextlib.suppress(OSError, ValueError):
            if self._descriptor < 0:
                self._descriptor = os.open(self._progress, os.O_RDONLY)
            return int(os.pread(self._descriptor, 20, 0))
        return 0

    def _kill(self) -> None:
        """Kill the command with what it started; once it is dead, no one knows that any more."""
        self._send(signal.SIGSTOP)
        started: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            started = psutil.Process(self._process).children(recursive=True)
        self._send(signal.SIGKILL)
        for each in started:
            with contextlib.suppress(psutil.Error):
                each.kill()

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process, number)
