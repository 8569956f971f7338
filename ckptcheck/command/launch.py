"""Start a command with the observer in its processes, follow it, and leave none of them behind."""

import contextlib
import errno
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import psutil

import ckptcheck
from ckptcheck.errors import UsageError
from ckptcheck.job.frameworks import edges
from ckptcheck.observer import hooks
from ckptcheck.observer.observation import CLAIM, OBSERVED, PROGRESS, TROUBLE
from ckptcheck.observer.request import Request

OUTPUT = "output.txt"
_SITE = Path(hooks.__file__).with_name("site")
_HOME = Path(ckptcheck.__file__).parents[1]
_POLL = 0.1  # seconds
_LOOK_FOR_CHILDREN = 1.0  # seconds
_ENDING = 5.0  # seconds that a program has to end after the last step that was asked for
_KILLING = 5.0  # seconds
_BLOCK = 1 << 16  # bytes
_NOT_EXECUTABLE = " Make it executable, or name its interpreter first: -- python train.py {run}."
_REMEDIES = {errno.EACCES: _NOT_EXECUTABLE, errno.ENOEXEC: _NOT_EXECUTABLE}


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        status: the exit status of its first process; negative: the signal that killed it.
        is_silent: whether it was killed because it made no step for too long.
    """

    status: int
    is_silent: bool = False


def launch(
    words: Sequence[str],
    request: Request,
    hash_seed: str,
    timeout: float,
    progress: Callable[[int], None],
    look: Callable[[], bool],
    began: Callable[[int], None] = lambda process: None,
    grace: float = 0.0,
) -> Ended:
    """Run a command to its end, observed.

    Args:
        words: the program and its arguments.
        request: what is recorded, and where.
        hash_seed: the PYTHONHASHSEED of its processes.
        timeout: seconds without a step after which it is killed; also once it cannot be observed.
        progress: called with the number of steps done.
        look: called again and again; returns whether the command wrote anything since.
        began: called with the id of its first process, which leads a group of its own.
        grace: the seconds that its other processes have to end after the first one.

    Raises:
        UsageError: there is no such program.
    """
    folder = Path(request.folder)
    asked = folder / "request.json"
    watched = [] if request.reports_itself else edges()
    document = asdict(request) | {"edges": watched, "home": str(_HOME)}
    asked.write_text(json.dumps(document), encoding="utf-8")
    environment = os.environ | {
        hooks.ENVIRONMENT: str(asked),
        "PYTHONHASHSEED": hash_seed,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(_SITE), os.environ.get("PYTHONPATH")])),
        "PYTHONUNBUFFERED": "1",
    }
    family = _Family(str(asked))
    # A program whose disk is full can still print.
    printed = _output(folder / OUTPUT, is_piped=request.fault is not None)
    with printed as output, contextlib.ExitStack() as at_end:
        at_end.callback(family.kill)
        try:
            process = subprocess.Popen(
                list(words),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            reason = error.strerror or str(error)
            remedy = _REMEDIES.get(error.errno or 0, "")
            raise UsageError(f"{words[0]} cannot be started: {reason}.{remedy}") from error
        family.began(process)
        began(process.pid)
        ended = _follow(process, folder, timeout, progress, look, family)
        family.wait(grace)
    if (folder / OBSERVED).exists():  # what was shown last may be some steps behind
        progress(json.loads((folder / OBSERVED).read_text(encoding="utf-8"))["steps"])
    return ended


@contextlib.contextmanager
def _output(file: Path, *, is_piped: bool) -> Iterator[int]:
    """Yield the descriptor that a command prints to: a file, or a pipe that is copied to it."""
    with file.open("wb", buffering=0) as output:
        if not is_piped:
            yield output.fileno()
            return
        reading, writing = os.pipe()
        copying = threading.Thread(target=_copy, args=(reading, output), daemon=True)
        copying.start()
        try:
            yield writing
        finally:
            os.close(writing)
            copying.join(_KILLING)


def _copy(reading: int, output: BinaryIO) -> None:
    """Copy what is printed until no process can print any more."""
    with open(reading, "rb", buffering=0) as pipe:
        while block := pipe.read(_BLOCK):
            with contextlib.suppress(OSError, ValueError):  # nothing waits for it any more
                output.write(block)


def _follow(
    process: "subprocess.Popen[bytes]",
    folder: Path,
    timeout: float,
    progress: Callable[[int], None],
    look: Callable[[], bool],
    family: "_Family",
) -> Ended:
    done, since = 0, time.monotonic()
    ended: float | None = None
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return Ended(process.wait(_POLL))
        if _size_of(folder / TROUBLE):  # nothing can be said of it any more
            return Ended(-9)
        if ended is None and _has_ended(folder):
            ended = time.monotonic()
        # Its steps are done. A thread that waits for the one that made them may wait for ever.
        if ended is not None and time.monotonic() - ended > _ENDING and _is_stopped(folder):
            return Ended(0)
        with contextlib.suppress(OSError, ValueError):
            now = int((folder / PROGRESS).read_text(encoding="ascii"))
            if now != done:
                done, since = now, time.monotonic()
                progress(done)
        family.look()
        if look():
            since = time.monotonic()
        if time.monotonic() - since > timeout:
            return Ended(-9, is_silent=True)


def _has_ended(folder: Path) -> bool:
    """Return whether the record of every process that trains has ended."""
    if not (folder / OBSERVED).exists():
        return False
    return all(claim.with_name(OBSERVED).exists() for claim in folder.glob(f"rank-*/{CLAIM}"))


def _is_stopped(folder: Path) -> bool:
    return bool(json.loads((folder / OBSERVED).read_text(encoding="utf-8"))["stopped"])


def _size_of(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


class _Family:
    """The processes of a command, none of which outlives it.

    They are known by the token in their environment, by their session, and as descendants of the
    first one: a daemon may have left two of these behind.
    """

    def __init__(self, token: str) -> None:
        self._token = token
        self._child: subprocess.Popen[bytes] | None = None
        self._first: psutil.Process | None = None
        self._seen: set[psutil.Process] = set()
        self._next_look = 0.0

    def began(self, process: "subprocess.Popen[bytes]") -> None:
        """Note the first process."""
        self._child = process
        with contextlib.suppress(psutil.Error):
            self._first = psutil.Process(process.pid)

    def look(self) -> None:
        """Note the descendants of the first process, now and then: looking takes 10 ms."""
        if self._first is not None and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _LOOK_FOR_CHILDREN
            with contextlib.suppress(psutil.Error):
                self._seen.update(self._first.children(recursive=True))

    def wait(self, seconds: float) -> None:
        """Wait until all of them have ended, so many seconds at most."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._alive():
            time.sleep(_POLL)

    def kill(self) -> None:
        """Kill all of them that are still running, and those that they start meanwhile."""
        deadline = time.monotonic() + _KILLING
        while (found := self._alive()) and time.monotonic() < deadline:
            for process in found:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            time.sleep(_POLL / 10)
        if self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(_KILLING)

    def _alive(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                # A zombie is dead, whenever its parent notices.
                if self._holds(process) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def _holds(self, process: psutil.Process) -> bool:
        if process in self._seen:
            return True
        if self._child is not None and os.getsid(process.pid) == self._child.pid:
            return True
        return process.environ().get(hooks.ENVIRONMENT) == self._token
