"""The states of a save that are seen from outside, where the command cannot be traced.

The command runs once more. At each change of a file within the save all of its processes are
stopped, the folder is copied, and they go on. Changes that follow each other at once are seen as
one, and what a power failure leaves is not seen.
"""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from ckptcheck.crash_states.file_status import Status
from ckptcheck.drills.crashes import Attempt, restarted_in
from ckptcheck.drills.drilled import Cut, Row
from ckptcheck.drills.killing import run_and_kill
from ckptcheck.drills.on_disk import on_disk
from ckptcheck.drills.points import AFTER_SAVE, Point, trigger_of
from ckptcheck.drills.tried import Drill, without_images
from ckptcheck.run.folder import FOUND, crash_image_of, killed_of
from ckptcheck.run.task import CONTROL_HASH_SEED


def attempts_seen(drill: Drill, number: int) -> list[Attempt]:
    """Return, by name, what tries the states that are seen of a save: each kind of them once."""
    kinds: dict[object, list[Path]] = {}
    before, after = _around(drill, number)
    for state in _seen(drill, number):
        kinds.setdefault(tuple(sorted(_statuses(state, before, after).items())), []).append(state)
    return [
        (label, partial(_tried, drill, number, label, alike[0], len(alike)))
        for place, alike in enumerate(kinds.values(), 1)
        for label in [f"state {place} of save {number}"]
    ]


def _around(drill: Drill, number: int) -> tuple[Path | None, Path]:
    """Return the folder before a save, None if it was empty, and after it."""
    images = drill.runs.folder
    before = crash_image_of(images, drill.saves[number - 2].done) if number > 1 else None
    return before, crash_image_of(images, drill.saves[number - 1].done)


def _seen(drill: Drill, number: int) -> list[Path]:
    """Run the command past a save, and return copies of its folder, one for each change."""
    runs, save = drill.runs, drill.saves[number - 1]
    copies = Path(tempfile.mkdtemp(dir=runs.folder))
    taken: list[Path] = []

    def copy(done: int) -> None:
        if done >= save.begins:
            taken.append(copies / str(len(taken)))
            shutil.copytree(runs.place, taken[-1], symlinks=True)

    request = without_images(runs, copies / "run")
    runs.make_place()
    trigger = trigger_of(Point(AFTER_SAVE, number), drill.saves, drill.steps)
    run_and_kill(runs, request, CONTROL_HASH_SEED, trigger, at_change=copy)
    return taken


def _statuses(found: Path, before: Path | None, after: Path) -> Mapping[str, Status]:
    """Return what a save has done to each file so far, by path."""
    folders = [found, after, *([before] if before else [])]
    names = {path.relative_to(each) for each in folders for path in each.rglob("*")}
    return {
        name.as_posix(): _status(*(each and each / name for each in (found, before, after)))
        for name in names
    }


def _status(found: Path | None, before: Path | None, after: Path | None) -> Status:
    there, old, new = (_bytes_of(each) for each in (found, before, after))
    if there == new:
        return Status.NEW
    if there == old:
        return Status.OLD
    if there is None:
        return Status.ABSENT
    return Status.PARTIAL if there else Status.EMPTY


def _bytes_of(path: Path | None) -> bytes | None:
    return path.read_bytes() if path and path.is_file() else None


def _tried(drill: Drill, number: int, label: str, state: Path, alike: int) -> Row:
    before, after = _around(drill, number)
    disk = on_disk(state, before, after, number, over=False)
    folder = killed_of(drill.runs.folder, label)
    folder.mkdir(parents=True)
    shutil.move(state, folder / FOUND)
    row = restarted_in(drill, number, label, disk)
    return replace(row, alike=alike, cut=Cut.IN_SAVE)
