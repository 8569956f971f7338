"""The fallback for a command of which no training step is seen: it is judged by what it leaves."""

import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

from ckptcheck.command.folder_watch import FolderWatch
from ckptcheck.command.leavings import Leavings
from ckptcheck.command.left_records import (
    Boundary,
    Left,
    Ran,
    document,
    left_by,
    record_control,
    record_resumed,
    saved_in,
    tensors_in,
)
from ckptcheck.command.metrics import mark
from ckptcheck.counts import filled
from ckptcheck.job.schedule import Schedule
from ckptcheck.observer.observation import OBSERVED
from ckptcheck.observer.request import Request
from ckptcheck.run.folder import crash_image_of, write_whole
from ckptcheck.run.run import Facts
from ckptcheck.run.snapshots import Snapshot

_NO_SAVE = (
    "No save was seen before its end either: ckptcheck looks every 0.1 s, and a save must stay as "
    "it is for two looks."
)


def why_none_kept(count: int) -> str:
    """Say that there is no save of the number that was asked for.

    Args:
        count: the number of saves after which the command went on.
    """
    return filled(
        "The command went on after {count} {count:save|saves}: there is no save of the number that "
        "was asked for.",
        count=count,
    )


@dataclass
class Fallback:
    """The records of one command by what it left.

    Attributes:
        folder: the folder of all its runs.
        wanted: the pattern of the metric in its output, if there is one.
        left: how the control is compared; None: a step of it was seen, or it has not ended yet.
    """

    folder: Path
    wanted: re.Pattern[str] | None
    left: Left | None = None

    def control(self, ran: Ran, watch: FolderWatch) -> str | None:
        """Record the control, and keep the images of its saves; return why that is impossible.

        An empty text: it left nothing that could be read.
        """
        if not Leavings(ran.files).newest:
            return ""
        saves = [(save, watch.images / f"crash-image@{save.number}") for save in watch.kept()]
        if not saves:
            return why_none_kept(watch.count) if watch.count else _NO_SAVE
        left = left_by(ran, saves, self.wanted)
        if isinstance(left, str):
            return left
        self.left = self._with_images(left)
        self._record(ran, watch.count)
        return None

    def repeated(self, ran: Ran) -> None:
        """Record a repetition of the control."""
        self._record(ran, 0)

    def resumed(self, ran: Ran, number: int) -> bool:
        """Record a run that was resumed; return whether it made a step."""
        assert self.left is not None
        control = Leavings(self.folder / "control" / "written")
        end = control.tensors(by_series=self.left.by_series)
        saved = saved_in(self.left, end)[number]
        ran.facts.schedule = self._schedule(number)
        return record_resumed(ran, self.left, self.wanted, self._boundary(number), saved)

    def prepare(self, place: Path) -> None:
        """Mark what a log holds before the command is started again."""
        if self.left is not None and self.left.metric is not None:
            mark(self.left.metric, place)

    def _record(self, ran: Ran, saves: int) -> None:
        assert self.left is not None
        saved = self._saved(ran)
        total = record_control(ran, self.left, self.wanted, saved)
        write_whole(ran.folder / OBSERVED, document(self.left, total, saves))

    def _saved(self, ran: Ran) -> dict[int, Snapshot]:
        assert self.left is not None
        return saved_in(self.left, tensors_in(ran.files, self.left))

    def _schedule(self, number: int) -> Schedule:
        assert self.left is not None
        numbers = [each.number for each in self.left.boundaries]
        steps = max(2, *(step + 1 for step in (*self.left.steps, *numbers)))
        return Schedule(steps, number, steps, tuple(numbers))

    def _boundary(self, number: int) -> Boundary:
        assert self.left is not None
        return next(each for each in self.left.boundaries if each.number == number)

    def _with_images(self, left: Left) -> Left:
        """Put the images where those of a job are, named by the first step after them."""
        # Of two saves between two steps, the later one counts.
        images = {each.number: each for each in left.boundaries}
        for number, each in images.items():
            target = crash_image_of(self.folder, number)
            Path(each.image).rename(target)
            images[number] = replace(each, image=str(target))
        return replace(left, boundaries=tuple(images.values()))


def ran_as(request: Request, hash_seed: str, started: float, output: Path) -> Ran:
    """Return a run that has ended, with what is known of it."""
    folder = Path(request.folder)
    facts = Facts(request.role, request.job, request.restore, 0, Schedule(2, 1, 1))
    facts.hash_seed, facts.started = hash_seed, started
    facts.seconds = max(0.0, time.time() - started)
    return Ran(folder, folder / "written", output, facts)
