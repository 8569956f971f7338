"""Start a command with the observer in its processes, follow it, and leave none of them behind."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

import ckptcheck
from ckptcheck.errors import UsageError
from ckptcheck.job.frameworks import edges
from ckptcheck.observer import hooks
from ckptcheck.observer.observation import OBSERVED, PROGRESS
from ckptcheck.observer.request import Request

OUTPUT = "output.txt"
_SITE = Path(hooks.__file__).with_name("site")
_HOME = Path(ckptcheck.__file__).parents[1]
_POLL = 0.1  # seconds


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
) -> Ended:
    """Run a command to its end, observed.

    Args:
        words: the program and its arguments.
        request: what is recorded, and where.
        hash_seed: the PYTHONHASHSEED of its processes.
        timeout: seconds without a step after which it is killed.
        progress: called with the number of steps done.
        look: called again and again; returns whether the command wrote anything since.

    Raises:
        UsageError: there is no such program.
    """
    folder = Path(request.folder)
    asked = folder / "request.json"
    document = asdict(request) | {"edges": edges(), "home": str(_HOME)}
    asked.write_text(json.dumps(document), encoding="utf-8")
    environment = os.environ | {
        hooks.ENVIRONMENT: str(asked),
        "PYTHONHASHSEED": hash_seed,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(_SITE), os.environ.get("PYTHONPATH")])),
        "PYTHONUNBUFFERED": "1",
    }
    sessions: list[int] = []
    with (folder / OUTPUT).open("wb") as output, _leaving_none(str(asked), sessions):
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
            raise UsageError(f"{words[0]} cannot be started: {reason}.") from error
        sessions.append(process.pid)
        ended = _follow(process, folder / PROGRESS, timeout, progress, look)
    if (folder / OBSERVED).exists():  # what was shown last may be some steps behind
        progress(json.loads((folder / OBSERVED).read_text(encoding="utf-8"))["steps"])
    return ended


def _follow(
    process: "subprocess.Popen[bytes]",
    shown: Path,
    timeout: float,
    progress: Callable[[int], None],
    look: Callable[[], bool],
) -> Ended:
    done, since = 0, time.monotonic()
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return Ended(process.wait(_POLL))
        with contextlib.suppress(OSError, ValueError):
            now = int(shown.read_text(encoding="ascii"))
            if now != done:
                done, since = now, time.monotonic()
                progress(done)
        if look():
            since = time.monotonic()
        if time.monotonic() - since > timeout:
            return Ended(-9, is_silent=True)


@contextmanager
def _leaving_none(token: str, sessions: Sequence[int]) -> Iterator[None]:
    """Kill every process that has the token in its environment, or belongs to a session."""
    try:
        yield
    finally:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if os.getsid(process.pid) in sessions or _has(process, token):
                    process.kill()
                    process.wait(5)


def _has(process: psutil.Process, token: str) -> bool:
    return process.environ().get(hooks.ENVIRONMENT) == token
