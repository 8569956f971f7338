"""The parent's side of the processes: start servers, hand out tasks as cores come free, receive what becomes of them."""

import contextlib
import itertools
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from ckptcheck.errors import NotVerifiedError

START_TIMEOUT = 300.0  # seconds for an import, whatever a user thinks of the time between two steps


class Task(Protocol):
    """What one process is to do: a dataclass of plain values. Its module `entry` has the `main` that carries it out."""

    entry: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str:
        """The process as progress shows it."""

    @property
    def folder(self) -> str:
        """Everything that the process writes lies in there."""

    @property
    def run_folder(self) -> Path:
        """Where the process records; made by whoever starts it."""

    @property
    def hash_seed(self) -> str:
        """PYTHONHASHSEED of the process."""


@dataclass(frozen=True)
class Event:
    """What the process of a task emitted; `facts` depend on the kind of event."""

    task: Any  # a Task, of a type that whoever submitted it knows
    kind: str
    facts: dict[str, Any]

    @property
    def name(self) -> str:
        """The task's."""
        return str(self.task.name)


@dataclass
class _Worker:
    task: Task
    number: int
    process: int | None = None
    last_sign: float = 0.0  # of life
    timed_out: bool = False


class _Server:
    """One `ckptcheck.run.fork_server` process and the lines it writes."""

    def __init__(self, hash_seed: str, modules: Sequence[str], log: Path, directory: Path) -> None:
        self.log = log
        self.ready = False
        self.lost: int | None = None  # the status it died with
        self.started = time.monotonic()
        self.unread = b""
        self.active: dict[int, _Worker] = {}
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ckptcheck.run.fork_server", *modules],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=os.environ | {"PYTHONHASHSEED": hash_seed},
                cwd=directory,
                # A session of its own: Ctrl-C reaches only the parent, which then ends the whole group.
                start_new_session=True,
            )

    def assign(self, worker: _Worker) -> None:
        """Have the server start a process for the task of a worker."""
        task, output = worker.task, str(worker.task.run_folder / "output.txt")
        line = {
            "worker": worker.number,
            "output": output,
            "entry": task.entry,
            "task": asdict(task),
        }
        assert self.process.stdin is not None
        self.active[worker.number] = worker
        with contextlib.suppress(
            BrokenPipeError
        ):  # a server that has just died is noticed by its silence, see _lost
            self.process.stdin.write(json.dumps(line).encode() + b"\n")
            self.process.stdin.flush()

    def lines(self) -> list[dict[str, Any]] | None:
        """Return the events that have arrived, or None when the server is gone."""
        assert self.process.stdout is not None
        received = os.read(self.process.stdout.fileno(), 65536)
        if not received:
            return None
        *lines, self.unread = (self.unread + received).split(b"\n")
        return [json.loads(line) for line in lines]

    def kill(self) -> None:
        """End the server and everything it started."""
        with (
            contextlib.suppress(BrokenPipeError),
            self.process,
        ):  # which waits for it, and closes the pipes
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


@dataclass
class Workers:
    """Runs tasks in fresh processes, at most `cores` at a time, in the order in which they were submitted.

    A forked process has the string hashes of its server, so there is a server for each hash seed. Use as a context
    manager; on leaving it, no process is left.
    """

    modules: Sequence[str]
    hash_seeds: Sequence[str]
    cores: int
    timeout: float
    logs: Path
    directory: Path = Path()

    def __post_init__(self) -> None:
        self._imported = " and ".join(self.modules) or "ckptcheck"
        self._queue: list[_Worker] = []
        self._numbers = itertools.count(1)

    def __enter__(self) -> "Workers":
        self._selector = selectors.DefaultSelector()
        self._servers: dict[str, _Server] = {}
        try:
            for seed in self.hash_seeds:
                server = _Server(
                    seed, self.modules, self.logs / f"server-{seed}.txt", self.directory
                )
                self._servers[seed] = server
                self._selector.register(server.process.stdout, selectors.EVENT_READ, server)  # type: ignore[arg-type]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers.values():
            server.kill()
        self._selector.close()

    def submit(self, task: Task) -> None:
        """Queue a task. Its folder is made here."""
        task.run_folder.mkdir(parents=True)
        self._queue.append(_Worker(task, next(self._numbers)))

    def events(self) -> Iterator[Event]:
        """Yield what workers emit until all submitted tasks have ended; tasks may be submitted meanwhile.

        Each task ends with one event `ended`, whose fact `trouble` is None or says why nothing can be said of the run.
        Raises `NotVerifiedError` where the framework cannot be imported, or not in time.
        """
        while self._queue or any(server.active for server in self._servers.values()):
            yield from self._hand_out()
            for key, _ in self._selector.select(timeout=0.2):
                yield from self._received(key.data)
            self._end_the_silent()

    def _hand_out(self) -> Iterator[Event]:
        for worker in list(self._queue):
            if sum(len(server.active) for server in self._servers.values()) >= self.cores:
                return
            server = self._servers[worker.task.hash_seed]
            if server.lost is not None:
                self._queue.remove(worker)
                yield _not_started(worker, server.lost)
            elif server.ready:
                self._queue.remove(worker)
                worker.last_sign = time.monotonic()
                server.assign(worker)

    def _received(self, server: _Server) -> Iterator[Event]:
        lines = server.lines()
        if lines is None:
            yield from self._lost(server)
            return
        for line in lines:
            number, kind = line.pop("worker"), line.pop("event")
            if kind == "ready":
                server.ready = True
                continue
            worker = server.active[number]
            worker.last_sign = time.monotonic()
            if kind == "started":
                worker.process = line["process"]
            if kind == "ended":
                del server.active[number]
                line["trouble"] = self._trouble(worker, line["status"])
            yield Event(worker.task, kind, line)

    def _lost(self, server: _Server) -> Iterator[Event]:
        """The server has died: so have its workers, and nothing more can be started there."""
        server.lost = server.process.wait()
        if not server.ready:
            printed = server.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            last = printed[-1] if printed else "it said nothing"
            raise NotVerifiedError(
                f"{self._imported} could not be imported by {sys.executable}: {last}. "
                "Install what the job needs in this environment."
            )
        lost = list(server.active.values())
        server.active.clear()
        self._selector.unregister(server.process.stdout)  # type: ignore[arg-type]
        for worker in lost:
            yield _not_started(worker, server.lost)

    def _end_the_silent(self) -> None:
        now = time.monotonic()
        for server in self._servers.values():
            if not server.ready and now - server.started > START_TIMEOUT:
                raise NotVerifiedError(
                    f"{self._imported} took more than {START_TIMEOUT:g} s to import."
                )
            for worker in server.active.values():
                if (
                    worker.process
                    and not worker.timed_out
                    and now - worker.last_sign > self.timeout
                ):
                    worker.timed_out = True
                    os.kill(worker.process, signal.SIGKILL)

    def _trouble(self, worker: _Worker, status: int) -> str | None:
        if worker.timed_out:
            return f"it gave no sign of life for {self.timeout:g} s and was ended (--timeout)"
        return _status(status) if status < 0 else None


def _not_started(worker: _Worker, status: int) -> Event:
    text = f"the server that starts its process was lost ({_status(status)})"
    return Event(worker.task, "ended", {"status": status, "trouble": text})


def _status(status: int) -> str:
    if status >= 0:
        return f"it exited with status {status}"
    name = signal.Signals(-status).name
    hint = (
        "; the kernel ends a process in this way when memory runs out"
        if -status == signal.SIGKILL
        else ""
    )
    return f"it was killed by {name}{hint}"
