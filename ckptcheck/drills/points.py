"""Where a command is killed: the points of a save and around it, and when each is reached."""

from collections.abc import Sequence
from dataclasses import dataclass

from ckptcheck.drills.saves import Save
from ckptcheck.errors import UsageError, unknown

FIRST_EVENT, MID, BEFORE_COMMIT = "first-event", "mid", "before-commit"
AFTER_SAVE, BETWEEN, RESTART, TERM = "after-save", "between", "restart", "term"

# Where each kills. The most telling come first, in case a budget ends the drill early.
POINTS = {
    MID: "in the middle of the save",
    BEFORE_COMMIT: "before the last rename or close of the save",
    AFTER_SAVE: "right after the save",
    RESTART: "within the first steps after the restart, once more",
    TERM: "by SIGTERM between two saves, and by SIGKILL after the grace period",
    FIRST_EVENT: "at the first change of a file of the save",
    BETWEEN: "between two saves",
}
DISK_FULL, READ_ONLY, SHORT_WRITE = "disk-full", "read-only", "short-write"
# What is wrong with the disk during a save.
FAULTS = {
    DISK_FULL: "no byte can be written to a file",
    READ_ONLY: "the folder and what is in it are read-only",
    SHORT_WRITE: "the largest file of the save can be written to its half",
}
# Those that a race may miss.
IN_SAVE = (FIRST_EVENT, MID, BEFORE_COMMIT)
# Steps after which a restarted run is killed again.
STEPS_OF_RESTART = 2


@dataclass(frozen=True)
class Trigger:
    """When a run is killed: within a save, or once some steps are done.

    Attributes:
        steps: the steps done at which the command is killed, at the latest.
        save: the steps done at which the save begins; -1: only steps count.
        events: the number of file events of the save to wait for.
        seconds: the time to wait after the last of these.
        grace: the seconds between SIGTERM and SIGKILL; None: SIGKILL alone.
        ignored: the files whose events are of no save.
    """

    steps: int
    save: int = -1
    events: int = 0
    seconds: float = 0.0
    grace: float | None = None
    ignored: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Point:
    """A point at which a command is killed, or meets a fault.

    Attributes:
        name: one of `POINTS` or `FAULTS`.
        save: the number of the save, from 1.
    """

    name: str
    save: int

    @property
    def label(self) -> str:
        """The point as reports call it, such as `mid of save 2`."""
        joint = {AFTER_SAVE: "after save", BETWEEN: "between, after save"}.get(self.name)
        joint = joint or {RESTART: "restart after save", TERM: "term after save"}.get(self.name)
        joint = joint or (f"{self.name} in save" if self.name in FAULTS else "")
        return f"{joint or f'{self.name} of save'} {self.save}"


def parse_points(text: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the points that are asked for, the most telling first; without a text, all.

    Raises:
        UsageError: there is no such point.
    """
    if text is None:
        return tuple(POINTS)
    given = text.split(",") if isinstance(text, str) else text
    names = [name.strip() for name in given]
    if not names:
        raise UsageError(f"No point is named. Known: {', '.join(POINTS)}.")
    for name in names:
        if name in FAULTS:
            raise UsageError(f"{name} is no point to kill at: --faults tries it, too.")
        if name not in POINTS:
            raise unknown("point", name, POINTS)
    return tuple(name for name in POINTS if name in names)


def parse_saves(text: str | int | Sequence[int] | None) -> tuple[int, ...]:
    """Return the numbers of the saves to kill at, rising; without a text, none: the usual one.

    Raises:
        UsageError: a number is none.
    """
    if text is None:
        return ()
    given = str(text).split(",") if isinstance(text, str | int) else list(map(str, text))
    words = [word.strip() for word in given]
    if not words or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise UsageError(f"--saves takes numbers from 1, such as 2 or 1,2, not {text!r}.")
    return tuple(sorted({int(word) for word in words}))


def trigger_of(point: Point, saves: Sequence[Save], steps: int, attempt: int = 0) -> Trigger:
    """Return when a run reaches a point.

    Args:
        point: the point.
        saves: the saves of a run that was not killed, in order.
        steps: the length of that run.
        attempt: how often a kill within the save came too late: each is earlier than the last.
    """
    save = saves[point.save - 1]
    later = saves[point.save].done if point.save < len(saves) else steps
    over = save.ended + 1
    if point.name == MID:
        return Trigger(over, save.begins, 1, save.seconds / 2 / 3**attempt)
    if point.name in IN_SAVE:
        # A file is closed, and its old name is gone, at nearly the same time as it is renamed.
        last = save.uncommitted - 2 * attempt if point.name == BEFORE_COMMIT else 1
        return Trigger(over, save.begins, max(1, last))
    return Trigger(over if point.name == AFTER_SAVE else max(over, (save.done + later) // 2))
