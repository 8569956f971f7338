"""A process that imports the framework once and forks a fresh process for each task.

Started as `python -m ckptcheck.run.fork_server MODULE …` with the modules to import. It reads one
JSON task per line from standard input. It writes one JSON event per line to standard output:
`ready`, `started`, the events of the workers, and `ended` with their exit status.

It never uses what it imported, so a forked process is as good as a new one, but starts in
milliseconds. When standard input ends, it kills all workers: nothing survives the parent.
"""

import gc
import importlib
import importlib.util
import json
import os
import select
import signal
import sys
import time
import warnings
from collections.abc import Sequence
from typing import Any

# The entry points of a process: each module has a `Task` and a `main`.
ENTRIES = ("ckptcheck.run.worker", "ckptcheck.studies.training")

# A pipe writes up to 4096 bytes (PIPE_BUF) atomically, so that lines of workers never mix.
LONGEST_LINE = 4096
LONGEST_TEXT = 2000


def write_event(pipe: int, worker: int, event: str, **facts: Any) -> None:
    """Write one event. A text that is too long for one line is cut."""
    facts = {
        key: value[:LONGEST_TEXT] if isinstance(value, str) else value
        for key, value in facts.items()
    }
    line = json.dumps({"worker": worker, "event": event, **facts}) + "\n"
    if len(line) > LONGEST_LINE:
        text = f"its event {event!r} is longer than {LONGEST_LINE} bytes"
        line = json.dumps({"worker": worker, "event": "trouble", "text": text}) + "\n"
    os.write(pipe, line.encode())


def main(modules: Sequence[str]) -> None:
    """Import `modules`, then fork a worker for each task until standard input ends."""
    pipe = os.dup(1)
    os.dup2(2, 1)  # output of libraries must not mix with the events
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken)
    started = time.monotonic()
    # A missing module is reported by the job that imports it; other jobs run without it.
    for module in (*filter(importlib.util.find_spec, modules), *ENTRIES):
        importlib.import_module(module)
    # Spares each worker's garbage collector a scan of TensorFlow's million objects.
    gc.collect()
    gc.freeze()
    write_event(pipe, 0, "ready", seconds=time.monotonic() - started)
    _serve(pipe, wake)


def _serve(pipe: int, wake: int) -> None:
    workers: dict[int, int] = {}
    pending = b""
    while True:
        readable, _, _ = select.select([0, wake], [], [])
        if wake in readable:
            os.read(wake, 4096)
            _reap(pipe, workers)
        if 0 in readable:
            received = os.read(0, 65536)
            if not received:
                os.killpg(0, signal.SIGKILL)  # this process leads the group of its workers
            *lines, pending = (pending + received).split(b"\n")
            for line in lines:
                request = json.loads(line)
                workers[_fork(pipe, request)] = request["worker"]


def _reap(pipe: int, workers: dict[int, int]) -> None:
    while workers:
        process, status = os.waitpid(-1, os.WNOHANG)
        if process == 0:
            return
        write_event(pipe, workers.pop(process), "ended", status=os.waitstatus_to_exitcode(status))


def _fork(pipe: int, request: dict[str, Any]) -> int:
    with warnings.catch_warnings():
        # Python 3.12 warns of threads at a fork. The only one, of OpenBLAS, handles forks.
        warnings.simplefilter("ignore", DeprecationWarning)
        process = os.fork()
    if process:
        write_event(pipe, request["worker"], "started", process=process)
        return process
    os._exit(_work(pipe, request))


def _work(pipe: int, request: dict[str, Any]) -> int:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _redirect(request["output"])
    entry = importlib.import_module(request["entry"])
    status = 3
    try:
        task = entry.Task(**request["task"])
        status = entry.main(
            task, lambda event, **facts: write_event(pipe, request["worker"], event, **facts)
        )
    except BaseException as error:  # also SystemExit: a job that exits must not look finished
        text = f"it exited with {type(error).__name__}: {error}"
        write_event(pipe, request["worker"], "trouble", text=text)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return status


def _redirect(output: str) -> None:
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(written, 1)
    os.dup2(written, 2)


if __name__ == "__main__":
    main(sys.argv[1:])
