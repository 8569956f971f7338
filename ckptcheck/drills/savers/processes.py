"""Start the processes that run savers, and take what they answer, even if they die of it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ckptcheck.crash_states.strace_log import traced
from ckptcheck.drills.savers.answers import Answer
from ckptcheck.errors import NotVerifiedError

_WORKER = (sys.executable, "-m", "ckptcheck.drills.savers.worker")
_POLL = 0.05  # seconds
# Seconds in which a process must say something; frameworks take some to import.
SILENT = 120.0
# A saver that kills so many processes is given up: each takes seconds to start.
MOST_DEATHS = 20
# Few words, no accelerator, nothing from elsewhere.
_QUIET = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "HF_HUB_OFFLINE": "1",
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}

Items = Sequence[Mapping[str, str]]


def write(items: Items, folder: Path, log: Path) -> str:
    """Run savers under strace; return why the process did not end well, or nothing.

    Args:
        items: the savers.
        folder: the folder for the files of the processes.
        log: the file of the trace.
    """
    job = _job(items, folder)
    status = _ended(traced([*_WORKER, "write", str(job)], log), folder, log)
    return f"The process that saves {_end(status)}." if status else ""


def restore(items: Items, folder: Path, *, silent: float = SILENT) -> list[Answer]:
    """Restore from each crash state; a process that dies of one is started again behind it.

    Args:
        items: the crash states.
        folder: the folder for the files of the processes.
        silent: seconds after which a process that answers nothing is killed.

    Raises:
        NotVerifiedError: Too many of the processes died.
    """
    answers: list[Answer] = []
    deaths = 0
    while len(answers) < len(items):
        said = folder / f"answers-{deaths}.jsonl"
        said.touch()
        job = _job(items[len(answers) :], folder)
        status = _ended([*_WORKER, "restore", str(job), str(said)], folder, said, silent)
        answers += _read(said)
        if len(answers) < len(items):
            deaths += 1
            answers.append(Answer(trouble=f"The process {_end(status)}."))
        if deaths > MOST_DEATHS:
            raise NotVerifiedError(f"{deaths} processes died of what they restored.")
    return answers


def _job(items: Items, folder: Path) -> Path:
    job = folder / "job.json"
    job.write_text(json.dumps([dict(each) for each in items]), encoding="utf-8")
    return job


def _read(said: Path) -> list[Answer]:
    """Return the answers; half a line of a process that died is none."""
    lines = said.read_text(encoding="utf-8").split("\n")[:-1]
    documents: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return [Answer(each.get("restored"), each.get("raised", "")) for each in documents]


def _ended(words: Sequence[str], folder: Path, growing: Path, silent: float = SILENT) -> int:
    """Run a process to its end, with all that it starts; return its exit status.

    Args:
        words: the program and its arguments.
        folder: the folder for what it prints.
        growing: a file that grows while the process works.
        silent: seconds after which it is killed if the file does not grow.
    """
    with (folder / "output.txt").open("ab") as output:
        process = subprocess.Popen(
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | _QUIET,
            start_new_session=True,
        )
        size, since = 0, time.monotonic()
        try:
            while process.poll() is None:
                time.sleep(_POLL)
                now = growing.stat().st_size if growing.exists() else 0
                if now != size:
                    size, since = now, time.monotonic()
                elif time.monotonic() - since > silent:
                    return -signal.SIGALRM
            return process.returncode
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _end(status: int) -> str:
    if status == -signal.SIGALRM:
        return "answered nothing for too long and was killed"
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with exit status {status}"
