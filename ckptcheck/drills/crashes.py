"""The crash states of a save, each kind of which the command is started again from."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ckptcheck.crash_states.file_status import Status
from ckptcheck.crash_states.operations import Act, Operation
from ckptcheck.crash_states.states import CrashState, Family, crash_states, write
from ckptcheck.crash_states.strace_log import read
from ckptcheck.drills.drilled import Cut, Row
from ckptcheck.drills.killing import Killed
from ckptcheck.drills.on_disk import OnDisk
from ckptcheck.drills.tried import Drill, Left, restarted
from ckptcheck.drills.watching import Death
from ckptcheck.errors import NotVerifiedError
from ckptcheck.run.folder import FOUND, crash_image_of, killed_of

LOG = "strace.log"
_PARTIAL = "crash-image.partial"
_KILLED = -9

# The name of what is tried, and what tries it.
Attempt = tuple[str, Callable[[], Row]]


def first_of(folder: Path) -> Path:
    """Return the folder of the first run of a command, which is not killed."""
    return folder / "first"


def images_of(folder: Path) -> Path:
    """Return the folder of the crash images that the first run keeps."""
    return folder / "first-images"


def attempts_at(drill: Drill, number: int) -> list[Attempt]:
    """Return, by name, what tries the crash states of a save: each kind of them once, or twice.

    The most telling come first, in case a budget ends the drill early.

    Raises:
        NotVerifiedError: what the command did to its files cannot be told from the trace.
    """
    kinds: dict[object, list[CrashState]] = {}
    for state in _states(drill, number):
        kinds.setdefault(state.kind, []).append(state)
    return [
        (label, partial(_tried, drill, number, label, alike))
        for of_kind in sorted(kinds.values(), key=lambda each: _harmed(each[0]), reverse=True)
        for alike in _apart(of_kind)
        for label in [f"state {alike[0].number} of save {number}"]
    ]


def _apart(alike: Sequence[CrashState]) -> Iterator[Sequence[CrashState]]:
    """Yield the states of a kind together, but for one that a reader may take for whole.

    A file of several records that ends between two of them is such a state, and no half of a
    write: the last that ends with a whole one is tried, too.
    """
    whole_writes = [each for each in alike[1:] if each.family is Family.PREFIX]
    if Status.PARTIAL not in alike[0].statuses.values() or not whole_writes:
        yield alike
        return
    last = whole_writes[-1]
    yield [each for each in alike if each is not last]
    yield [last]


def _harmed(state: CrashState) -> tuple[int, bool]:
    """Return how many files that were there before are gone or torn, and if power was lost."""
    kept = (Status.OLD, Status.NEW)
    there = (each for path, each in state.statuses.items() if (state.base / path).is_file())
    return sum(each not in kept for each in there), state.family is Family.UNSYNCED


def _states(drill: Drill, number: int) -> list[CrashState]:
    folder, images = drill.runs.folder, images_of(drill.runs.folder)
    after = crash_image_of(images, drill.saves[number - 1].done)
    marks = read(folder / LOG, images)
    begins = 0.0
    base = Path(tempfile.mkdtemp(dir=folder))  # the first save begins with an empty folder
    if number > 1:
        base = crash_image_of(images, drill.saves[number - 2].done)
        begins = _taken_at(base, marks)
    if not after.exists() or not base.exists():
        raise NotVerifiedError(
            f"How the folder was after save {number} is unknown: training went on meanwhile."
        )
    ends = _taken_at(after, marks)
    operations = read(folder / LOG, drill.runs.place)
    of_save = [each for each in operations if begins < each.time < ends]
    return list(crash_states(base, after, of_save))


def _taken_at(image: Path, marks: Sequence[Operation]) -> float:
    """Return when a crash image was begun: the command itself took it, between two steps.

    Args:
        image: the image.
        marks: the operations on the folder of all images.
    """
    begun = 0.0
    for each in marks:
        if each.act is Act.MKDIR and each.path == _PARTIAL:
            begun = each.time
        if each.act is Act.RENAME and each.target == image.name:
            return begun
    raise NotVerifiedError(f"The trace does not tell when {image.name} was taken.")


def _tried(drill: Drill, number: int, label: str, alike: Sequence[CrashState]) -> Row:
    state = alike[0]
    write(state, killed_of(drill.runs.folder, label) / FOUND)
    row = restarted_in(drill, number, label, OnDisk(_is_whole(state), True, state.description))
    cut = Cut.POWER if state.family is Family.UNSYNCED else Cut.IN_SAVE
    return replace(row, alike=len(alike), cut=cut)


def restarted_in(drill: Drill, number: int, label: str, disk: OnDisk) -> Row:
    """Start the command again in a state of a save, which lies where a kill would leave it."""
    save = drill.saves[number - 1]
    folder = killed_of(drill.runs.folder, label)
    earlier = drill.saves[number - 2].done if number > 1 else 0
    killed = Killed(folder, Death(save.done, 0.0), save.done, {}, (), _KILLED)
    return restarted(drill, label, Left(killed, disk, save.done if disk.is_whole else earlier))


def _is_whole(state: CrashState) -> bool:
    """Return whether a state is what the whole save leaves."""
    return all(status is Status.NEW for status in state.statuses.values())
