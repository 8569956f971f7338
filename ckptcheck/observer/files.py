"""What a program does to files: whether it wrote something that may be a checkpoint, and where.

Python's audit events (PEP 578) report every file that Python opens or renames. What a framework
writes in C++ is reported by its adapter.
"""

import os
import sys
from collections.abc import Callable
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
    """

    def __init__(self, request: Request, on_restore: Callable[[str], None]) -> None:
        self._on_restore = on_restore
        self._inside = os.path.join(os.path.realpath(request.writes), "")  # noqa: PTH118
        self._has_saved = False
        self._made: set[str] = set()
        sys.addaudithook(self._on_event)

    def has_saved(self) -> bool:
        """Return whether something that may be a checkpoint was written since the last call."""
        saved, self._has_saved = self._has_saved, False
        return saved

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
        elif path.startswith(self._inside) and may_be_checkpoint(path) and path not in self._made:
            self._on_restore(path)

    def _written(self, path: str) -> None:
        if path.startswith(self._inside):
            self._made.add(path)
            self._has_saved = self._has_saved or may_be_checkpoint(path)


def may_be_checkpoint(path: str) -> bool:
    """Return whether a file may be a checkpoint by its name: it is no log, figure or note."""
    return not path.endswith(_NO_CHECKPOINT) and "tfevents" not in path
