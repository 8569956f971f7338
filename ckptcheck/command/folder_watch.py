"""Saves of a command that is not observed, found by watching its folder from outside.

A save is a change of the files that may be checkpoints, after which they stay as they are for two
looks. What the folder holds at the end of the run is no save: nothing is left to compare.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ckptcheck.observer.crash_image import Images
from ckptcheck.observer.files import may_be_checkpoint
from ckptcheck.observer.request import Request

# Name, size and time of change of each file.
_State = Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Logged:
    """How much of its logs and of its output a command had written at one moment.

    Attributes:
        sizes: the size of each file, in bytes, by its path in the folder.
        output: the size of the output, in bytes.
    """

    sizes: Mapping[str, int] = field(default_factory=dict)
    output: int = 0


@dataclass(frozen=True)
class Save:
    """A save that was seen, and what was logged.

    Attributes:
        number: its number, from 1.
        before: what was logged when the files last were as before.
        at: what was logged when the folder was copied.
    """

    number: int
    before: Logged
    at: Logged


class FolderWatch:
    """Looks at the folder of a command again and again, and copies it after a save.

    Args:
        request: what is to be recorded.
        output: the file with the output of the command.
        claim: the file that exists once the command is observed from inside.
        takes: whether saves are copied at all.

    Attributes:
        images: the folder of the copies, each named `crash-image@` and the number of its save.
    """

    def __init__(self, request: Request, output: Path, claim: Path, *, takes: bool) -> None:
        self.images = Path(request.images) / "seen-from-outside"
        self._source, self._output, self._claim = Path(request.writes), output, claim
        self._takes = takes
        self._images = Images(replace(request, images=str(self.images)))
        self._state: _State = _checkpoints(_files(self._source))
        self._everything: tuple[_State, int] = ({}, 0)
        self._before = self._changed_from = Logged()
        self._is_open = False
        self._pending: tuple[Save, _State] | None = None
        self._saves: dict[int, Save] = {}
        self._count = 0

    def look(self) -> bool:
        """Look at the folder once; return whether anything was written since the last look."""
        if self._claim.exists():
            self._give_up()
            return False
        files, logged = self._look()
        is_new = (files, logged.output) != self._everything
        self._everything = files, logged.output
        if self._takes:
            self._notice(_checkpoints(files), logged)
        self._before = logged
        return is_new

    def ended(self) -> None:
        """Note that the run has ended: its last state is no save."""
        if self._claim.exists():
            self._give_up()
        elif self._pending is not None:
            if self._pending[1] == _checkpoints(_files(self._source)):
                self._count, self._pending = self._count - 1, None
            else:
                self._keep()

    def kept(self) -> list[Save]:
        """Return the saves of which a copy is kept, in order."""
        return [self._saves[number] for number in self._images.kept() if number in self._saves]

    @property
    def count(self) -> int:
        """The number of saves that were seen."""
        return self._count

    def _notice(self, state: _State, logged: Logged) -> None:
        if state != self._state:
            if not self._is_open:
                self._changed_from = self._before
            self._is_open, self._state = True, state
        elif self._is_open and state:
            self._is_open = not self._copied(state, logged)

    def _copied(self, state: _State, logged: Logged) -> bool:
        """Copy the folder; return whether its checkpoints stayed as they were meanwhile."""
        if self._pending is not None:
            self._keep()
        self._images.saved(is_known=False)
        self._images.take()
        files, after = self._look()
        if _checkpoints(files) != state:
            self._state = _checkpoints(files)
            return False
        self._count += 1
        # The logs may have grown while they were copied: the larger size is the safe one.
        self._pending = Save(self._count, self._changed_from, after), state
        return True

    def _keep(self) -> None:
        assert self._pending is not None
        save, _ = self._pending
        self._pending = None
        if self._images.keep(save.number):
            self._saves[save.number] = save

    def _give_up(self) -> None:
        if self._takes:
            shutil.rmtree(self.images, ignore_errors=True)
        self._takes, self._pending = False, None
        self._saves.clear()

    def _look(self) -> tuple[_State, Logged]:
        files = _files(self._source)
        logs = {path: size for path, (size, _) in files.items() if not may_be_checkpoint(path)}
        output = self._output.stat().st_size if self._output.exists() else 0
        return files, Logged(logs, output)


def _checkpoints(files: _State) -> _State:
    return {path: each for path, each in files.items() if may_be_checkpoint(path)}


def _files(folder: Path) -> _State:
    """Return size and time of change of every file, by its path in the folder."""
    return {os.path.relpath(path, folder): each for path, each in _scan(str(folder))}


def _scan(folder: str) -> Iterator[tuple[str, tuple[int, int]]]:
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # deleted meanwhile
                status = Path(path, name).stat()
                yield f"{path}/{name}", (status.st_size, status.st_mtime_ns)
