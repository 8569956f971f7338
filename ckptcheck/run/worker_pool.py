"""The parent of the processes: start servers, hand tasks to free cores, receive events."""

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

from ckptcheck.errors import NotVerifiedError, UsageError

START_TIMEOUT = 300.0  # seconds for an import, independent of --timeout


class Task(Protocol):
    """The task of one process: a dataclass of plain values, run by `main` of the module `entry`."""

    entry: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def name(self) -> str:
        """The name of the process in progress reports."""

    @property
    def folder(self) -> str:
        """The folder of everything that the process writes."""

    @property
    def run_folder(self) -> Path:
        """The folder of the process's records, made before the process starts."""

    @property
    def hash_seed(self) -> str:
        """The PYTHONHASHSEED of the process."""


@dataclass(frozen=True)
class Event:
    """An event that the process of a task emitted; `facts` depend on its kind."""

    task: Any  # a Task of the submitted type
    kind: str
    facts: dict[str, Any]

    @property
    def name(self) -> str:
        """The name of the task."""
        return str(self.task.name)

    def check(self) -> None:
        """Raise what a process reports of the request itself, rather than of its own run.

        Raises:
            UsageError: the request is wrong.
            NotVerifiedError: a framework that a job needs is not installed.
        """
        if self.kind == "usage":
            raise UsageError(self.facts["text"])
        if self.kind == "missing":
            raise NotVerifiedError(self.facts["text"])


@dataclass
class _Worker:
    task: Task
    number: int
    process: int | None = None
    last_event: float = 0.0  # when it came, by time.monotonic
    timed_out: bool = False


class _Server:
    """One `ckptcheck.run.fork_server` process and the lines it writes."""

    def __init__(self, hash_seed: str, modules: Sequence[str], log: Path, directory: Path) -> None:
        self.log = log
        self.ready = False
        self.lost: int | None = None  # the exit status of a dead server
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
                # A new session: Ctrl-C reaches only the parent, which then kills the whole group.
                start_new_session=True,
            )

    def assign(self, worker: _Worker) -> None:
        """Start a process for the task of a worker."""
        task, output = worker.task, str(worker.task.run_folder / "output.txt")
        line = {
            "worker": worker.number,
            "output": output,
            "entry": task.entry,
            "task": asdict(task),
        }
        assert self.process.stdin is not None
        self.active[worker.number] = worker
        with contextlib.suppress(BrokenPipeError):  # a dead server is handled in _lost
            self.process.stdin.write(json.dumps(line).encode() + b"\n")
            self.process.stdin.flush()

    def lines(self) -> list[dict[str, Any]] | None:
        """Return the received events, or None if the server has died."""
        assert self.process.stdout is not None
        received = os.read(self.process.stdout.fileno(), 65536)
        if not received:
            return None
        *lines, self.unread = (self.unread + received).split(b"\n")
        return [json.loads(line) for line in lines]

    def kill(self) -> None:
        """Kill the server and all its workers."""
        # Leaving the block waits for the process and closes its pipes.
        with contextlib.suppress(BrokenPipeError), self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


@dataclass
class Workers:
    """Runs tasks in fresh processes, in the order of submission, at most `cores` at a time.

    A forked process inherits the string hashes of its server, so each hash seed has its own
    server. Use it as a context manager: on exit it kills every process.
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
        """Queue a task, and make its folder."""
        task.run_folder.mkdir(parents=True)
        self._queue.append(_Worker(task, next(self._numbers)))

    def events(self) -> Iterator[Event]:
        """Yield the events of all tasks until all have ended; more may be submitted meanwhile.

        Each task ends with one event `ended`. Its fact `trouble` is None, or says why the run did
        not finish.

        Raises:
            NotVerifiedError: A module cannot be imported, or its import takes too long.
        """
        while self._queue or any(server.active for server in self._servers.values()):
            yield from self._hand_out()
            for key, _ in self._selector.select(timeout=0.2):
                yield from self._received(key.data)
            self._kill_silent()

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
                worker.last_event = time.monotonic()
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
            worker.last_event = time.monotonic()
            if kind == "started":
                worker.process = line["process"]
            if kind == "ended":
                del server.active[number]
                line["trouble"] = self._trouble(worker, line["status"])
            yield Event(worker.task, kind, line)

    def _lost(self, server: _Server) -> Iterator[Event]:
        """Handle a dead server, whose workers have died with it."""
        server.lost = server.process.wait()
        if not server.ready:
            printed = server.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            last = printed[-1] if printed else "it printed nothing"
            raise NotVerifiedError(
                f"{self._imported} could not be imported by {sys.executable}: {last}. "
                "Install the requirements of the job in this environment."
            )
        lost = list(server.active.values())
        server.active.clear()
        self._selector.unregister(server.process.stdout)  # type: ignore[arg-type]
        for worker in lost:
            yield _not_started(worker, server.lost)

    def _kill_silent(self) -> None:
        now = time.monotonic()
        for server in self._servers.values():
            if not server.ready and now - server.started > START_TIMEOUT:
                raise NotVerifiedError(
                    f"{self._imported} took more than {START_TIMEOUT:g} s to import. Try "
                    "again on an idle machine."
                )
            for worker in server.active.values():
                if (
                    worker.process
                    and not worker.timed_out
                    and now - worker.last_event > self.timeout
                ):
                    worker.timed_out = True
                    os.kill(worker.process, signal.SIGKILL)

    def _trouble(self, worker: _Worker, status: int) -> str | None:
        if worker.timed_out:
            return (
                f"it was silent for {self.timeout:g} s and was killed. Raise --timeout if "
                "its steps take longer"
            )
        return _status(status) if status < 0 else None


def _not_started(worker: _Worker, status: int) -> Event:
    text = f"the server that starts its process died ({_status(status)})"
    return Event(worker.task, "ended", {"status": status, "trouble": text})


def _status(status: int) -> str:
    if status >= 0:
        return f"it exited with status {status}"
    name = signal.Signals(-status).name
    hint = (
        "; the kernel kills a process this way when memory runs out"
        if -status == signal.SIGKILL
        else ""
    )
    return f"it was killed by {name}{hint}"
