"""Copies of the command's folder right after its saves: what a process killed there leaves."""

import contextlib
import shutil
from pathlib import Path

from ckptcheck.observer.ranks import Meeting
from ckptcheck.observer.request import Request

# Among the kinds of pending saves: the folder as it is, in a resumed run.
_WANTED = "wanted"


class Images:
    """Takes a copy of the folder after each save, and keeps those that are asked for.

    A save is everything that is written between two steps. Saves by a known function are counted
    by themselves: where there are any, a written file alone is none.

    Attributes:
        groups: how many saves there were, known and unknown.
        meeting: where the ranks of the job meet, of which rank 0 takes the copies; None: there is
            one process alone.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._source = Path(request.writes)
        self._folder = Path(request.images)
        self.groups = {"known": 0, "unknown": 0}
        self.meeting: Meeting | None = None
        self._kept: dict[str, list[int]] = {"known": [], "unknown": []}
        self._pending: set[str] = set()
        self._taken: tuple[tuple[str, int, int], ...] | None = None

    def saved(self, *, is_known: bool) -> bool:
        """Note a save since the last step; return whether its image may be kept."""
        kind = "known" if is_known else "unknown"
        if self._follows:
            return False
        if kind in self._pending or self._may_want(kind):
            self._pending.add(kind)
            return True
        return False

    def wanted(self) -> None:
        """Note that the folder is wanted as it is now, saved or not."""
        self._pending.add(_WANTED)

    def _may_want(self, kind: str) -> bool:
        """Return whether a further save of a kind may be asked for."""
        asked = self._request.saves
        is_passed = bool(asked) and self.groups[kind] >= max(asked)
        return (
            self._request.is_control
            and not is_passed
            and not (kind == "unknown" and self.groups["known"])
        )

    def begins(self, step: int, is_due: bool) -> bool:
        """Return whether the state before a step may be wanted, at a save of any rank."""
        if self.meeting is None or not self._request.is_control:
            return is_due
        return self.meeting.begins(step, is_due)

    def take(self) -> None:
        """Copy the folder, unless nothing in it has changed since the last copy."""
        if not self._pending:
            return
        if self.meeting is not None:
            self.meeting.gather()
        state = _state(self._source)
        if state != self._taken:
            shutil.rmtree(self._partial, ignore_errors=True)
            _copy(self._source, self._partial)
            self._taken = state
        if self.meeting is not None:
            self.meeting.tell()

    def keep(self, done: int) -> bool:
        """Keep the last copy as the image after `done` steps, if it is asked for."""
        if self.meeting is not None and self._follows:
            return self.meeting.is_boundary(done)
        is_wanted = _WANTED in self._pending
        kind = "known" if "known" in self._pending else "unknown"
        self._pending.clear()
        self._taken = None
        if not self._partial.exists():
            return False
        self.groups[kind] += 1
        if not (is_wanted or self._wants(kind)):
            return False
        target = self._folder / f"crash-image@{done}"
        shutil.rmtree(target, ignore_errors=True)
        self._partial.rename(target)
        self._kept[kind].append(done)
        return True

    def kept(self) -> list[int]:
        """Return the saves that are kept, as the number of steps done; where one will do, as asked.

        The first save then comes last: it is wanted where there is no other.
        """
        kept = self._kept["known"] or self._kept["unknown"]
        if self._request.saves and self._request.falls_back:
            return kept[1:] or kept
        return kept if self._request.saves else kept[-1:]

    def _wants(self, kind: str) -> bool:
        asked = self._request.saves
        if kind == "unknown" and self.groups["known"]:
            return False
        number = self.groups[kind]
        return not asked or number in asked or (self._request.falls_back and number == 1)

    @property
    def _follows(self) -> bool:
        return self.meeting is not None and self.meeting.follows

    @property
    def _partial(self) -> Path:
        return self._folder / "crash-image.partial"


def _state(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return name, size and time of change of every file in a folder."""
    found = []
    for path in sorted(folder.rglob("*")):
        with contextlib.suppress(OSError):  # deleted meanwhile
            status = path.lstat()
            found.append((str(path), status.st_size, status.st_mtime_ns))
    return tuple(found)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder, but no pipe and no socket.

    What the program deletes meanwhile is no part of the checkpoint.
    """
    target.mkdir(parents=True)
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if path.is_symlink():
                place.symlink_to(path.readlink())
            elif path.is_dir():
                place.mkdir(exist_ok=True)
                shutil.copystat(path, place)
            elif path.is_file():
                shutil.copy2(path, place)
