"""What a program does to files: whether it wrote something that may be a checkpoint, and where.

Python's audit events (PEP 578) report every file that Python opens or renames. What a framework
writes in C++ is reported by its adapter.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ckptcheck.observer.request import Request

# Logs, figures, and notes beside a checkpoint have such names. What a file holds cannot be asked:
# Python reports the same for text as for bytes.
_NO_CHECKPOINT = (
    *(".png", ".svg", ".pdf", ".jpg", ".html", ".md", ".txt", ".log"),
    *(".csv", ".tsv", ".json", ".jsonl", ".yaml", ".yml", ".toml", ".lock"),
)


class FileWatch:
    """The files that this process writes into the folder of the command, and reads from there.

    An audit hook cannot be removed: it stays until the process ends.

    Attributes:
        written: how often something that may be a checkpoint was written.
        writers: the threads that wrote such files since the last call of `has_saved`.
        names: those files, relative to the folder.
        read_late: the files that were read, and that the control had only after the save.
    """

    def __init__(self, request: Request, on_restore: Callable[[str], None]) -> None:
        self.written = 0
        self.writers: set[int] = set()
        self.names: set[str] = set()
        self.read_late: list[str] = []
        self._on_restore = on_restore
        self._late = frozenset(request.late_files)
        self._inside = os.path.join(os.path.realpath(request.writes), "")  # noqa: PTH118
        self._noticed = 0
        self._is_unwatched = False
        self._made: set[str] = set()
        sys.addaudithook(self._on_event)

    def has_saved(self) -> bool:
        """Return whether something that may be a checkpoint was written since the last call."""
        self.writers.clear()
        self.names.clear()
        noticed, self._noticed = self._noticed, self.written
        return self.written > noticed

    @contextlib.contextmanager
    def unwatched(self) -> Iterator[None]:
        """Take no file that is read meanwhile for a restore: the observer reads it."""
        self._is_unwatched = True
        try:
            yield
        finally:
            self._is_unwatched = False

    def _on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, str | bytes | os.PathLike):
                self._opened(os.path.abspath(os.fsdecode(path)), flags)  # noqa: PTH100
        elif event == "os.rename":
            self._written(os.path.abspath(os.fsdecode(arguments[1])))  # noqa: PTH100

    def _opened(self, path: str, flags: int) -> None:
        if flags & os.O_ACCMODE != os.O_RDONLY:
            self._written(path)
        elif self._is_unwatched:
            return
        elif path in self._late:
            self.read_late.append(path)
        elif path.startswith(self._inside) and may_be_checkpoint(path) and path not in self._made:
            self._on_restore(path)

    def _written(self, path: str) -> None:
        if path.startswith(self._inside):
            self._made.add(path)
            if may_be_checkpoint(path):
                self.written += 1
                self.writers.add(threading.get_ident())
                self.names.add(path[len(self._inside) :])


def may_be_checkpoint(path: str) -> bool:
    """Return whether a file may be a checkpoint by its name: it is no log, figure or note."""
    return not path.endswith(_NO_CHECKPOINT) and "tfevents" not in path
