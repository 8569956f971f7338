"""The processes of a traced command: which files each has open, and where it stands in them."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ckptcheck.crash_states.strace_lines import Call, Line, descriptor

FORKS = frozenset((b"clone", b"clone3", b"fork", b"vfork"))
_FLAGS = re.compile(rb"CLONE_\w+")
_READ = re.compile(rb"readv?\((\w+)")
_CWD = re.compile(rb"AT_FDCWD<(/[^>]*)>")


@dataclass
class OpenFile:
    """An open file, which descriptors of several processes may share.

    Attributes:
        number: counts the open files, from 1.
        position: where the next read or write begins; None: at the end of the file.
        appends: whether each write goes to the end of the file.
        is_synced: whether each write reaches the disk before it returns.
    """

    number: int
    position: int | None = 0
    appends: bool = False
    is_synced: bool = False

    def offset(self, size: int) -> int | None:
        """Return where a write of that size begins, and move on behind it."""
        if self.appends or self.position is None:
            return None
        self.position += size
        return self.position - size


@dataclass
class Process:
    """A process, which all its threads share.

    Attributes:
        files: its open files in the watched folder, by descriptor.
        cwd: its working folder, as far as it is known.
    """

    files: dict[int, OpenFile] = field(default_factory=dict)
    cwd: str | None = None


class Processes:
    """All processes of a log, by thread.

    Args:
        cwd: the folder where the command began; None: the log says it.
    """

    def __init__(self, cwd: str | None = None) -> None:
        self._cwd = cwd
        self._of_thread: dict[int, Process] = {}
        self._forking: dict[int, Line] = {}
        self._numbers: Iterator[int] = itertools.count(1)

    def of(self, thread: int) -> Process:
        """Return the process of a thread, which may be new."""
        if thread not in self._of_thread:
            self._of_thread[thread] = self._new(thread)
        return self._of_thread[thread]

    def opened(self, position: int | None = 0) -> OpenFile:
        """Return a new open file."""
        return OpenFile(next(self._numbers), position)

    def has_open(self, line: Line) -> bool:
        """Return whether a whole `read` is of a file in the watched folder."""
        process = self._of_thread.get(line.thread)
        if process is None or not process.files or not line.is_whole:
            return False
        found = _READ.match(line.text)
        return found is not None and int(found[1], 0) in process.files

    def note(self, line: Line) -> None:
        """Note the working folder that a line names, and a fork that has begun."""
        process = self.of(line.thread)
        if process.cwd is None:
            found = _CWD.search(line.text)
            process.cwd = descriptor(found[0]).path if found else None
        if line.name in FORKS and not line.is_whole:
            self._forking[line.thread] = line

    def forked(self, call: Call, line: Line) -> None:
        """Note the process or thread that a call has made."""
        self._forking.pop(call.thread, None)
        if call.result > 0 and call.result not in self._of_thread:
            self._of_thread[call.result] = _child(self.of(call.thread), line)

    def ended(self, thread: int) -> None:
        """Forget a thread that has ended: a new one may get its number."""
        self._of_thread.pop(thread, None)
        self._forking.pop(thread, None)

    def _new(self, thread: int) -> Process:
        """Return the process of a thread whose first line stands before its parent's answer."""
        if self._forking:
            parent, line = next(iter(self._forking.items()))
            return _child(self.of(parent), line)
        return Process(cwd=self._cwd)


def _child(parent: Process, line: Line) -> Process:
    flags = _FLAGS.findall(line.text)
    if b"CLONE_THREAD" in flags or b"CLONE_FILES" in flags:
        return parent
    return Process(dict(parent.files), parent.cwd)
