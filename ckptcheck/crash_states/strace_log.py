"""A command under strace, and the log as operations on the files below a folder."""

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from ckptcheck.crash_states.open_files import FORKS, Processes
from ckptcheck.crash_states.operations import Operation
from ckptcheck.crash_states.strace_calls import CALLS, Calls
from ckptcheck.crash_states.strace_lines import ENDED, Line, call, lines

# The longest text of a write in the log, in bytes; the files themselves hold the rest.
BYTES_OF_A_WRITE = 4096
# They name the folder in each line that touches a file in it, because `strace -y` writes the path
# of a descriptor. All others may name it by a relative path; what is synced may be moved in later.
_NAMING = CALLS & {
    *(b"openat", b"openat2", b"open", b"creat", b"close", b"dup", b"dup2", b"dup3", b"fcntl"),
    *(b"lseek", b"write", b"pwrite64", b"writev", b"pwritev", b"pwritev2", b"sendfile"),
    *(b"copy_file_range", b"ftruncate", b"fallocate"),
}
_READS = frozenset((b"read", b"readv"))
# What strace writes as it is.
_PLAIN = re.compile(r"[\w./-]+", re.ASCII)


def traced(words: Sequence[str], log: Path, *, kept: int = BYTES_OF_A_WRITE) -> list[str]:
    """Return a command under strace, which logs its file operations.

    Args:
        words: the command.
        log: the file of the log.
        kept: how many bytes of each write the log holds.
    """
    # A question mark: a call that this machine may not have.
    calls = ",".join(sorted(f"?{name.decode()}" for name in CALLS | FORKS))
    return [
        *("strace", "-f", *(["--seccomp-bpf"] if _is_fast() else [])),
        *("-q", "-ttt", "-y", "-a", "1", "-s", str(kept), "-e", f"trace={calls}"),
        # The bytes that are read tell nothing, and would fill the log.
        *("-e", "raw=read,readv", "-e", "signal=none", "-o", str(log), "--", *words),
    ]


@functools.cache
def why_not() -> str | None:
    """Return why no command can be traced on this machine; None: it can."""
    if shutil.which("strace") is None:
        return "strace is not installed: install it, for example with `apt-get install strace`."
    answer = _tried("-f", "-y")
    if answer.returncode:
        reason = answer.stderr.strip().splitlines()
        return f"strace cannot trace a process here: {reason[0] if reason else 'it failed'}."
    return None


@functools.cache
def _is_fast() -> bool:
    """Return whether strace can stop at the traced calls alone, which spares all others."""
    return shutil.which("strace") is not None and not _tried("-f", "--seccomp-bpf").returncode


def _tried(*options: str) -> "subprocess.CompletedProcess[str]":
    command = ["strace", *options, "-e", "trace=none", "-o", os.devnull, "--", "true"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def read(log: Path, folder: Path, *, cwd: Path | None = None) -> list[Operation]:
    """Return the operations on the files below a folder, in the order of the log.

    Args:
        log: the log of a command under `traced`.
        folder: the folder. It, or its parent, must still stand where it stood.
        cwd: the folder where the command began; None: the log tells.
    """
    return list(_operations(log, folder, cwd))


def _operations(log: Path, folder: Path, cwd: Path | None) -> Iterator[Operation]:
    processes = Processes(str(cwd) if cwd else None)
    calls = Calls(folder, processes)
    needle = _needle(folder)
    for line in lines(log):
        if line.name == ENDED:
            processes.ended(line.thread)
        done = call(line) if _matters(line, needle, processes) else None
        if done is None:
            continue
        if line.name in FORKS:
            processes.forked(done, line)
        yield from calls.operations(done)


def _matters(line: Line, needle: bytes, processes: Processes) -> bool:
    """Return whether a line may be of the folder, or of a new process; most lines are not."""
    if line.name in _READS:
        return processes.has_open(line)
    if line.name not in CALLS and line.name not in FORKS:
        return False
    processes.note(line)
    return line.is_whole and (line.name not in _NAMING or needle in line.text)


def _needle(folder: Path) -> bytes:
    """Return the longest part of the folder's path that strace writes as it is."""
    parts = _PLAIN.findall(os.path.realpath(folder))
    return max(parts, key=len, default="/").encode()
