"""Run a command until it is killed, and keep what it leaves."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ckptcheck.command.launch import launch
from ckptcheck.command.runs import CommandRuns
from ckptcheck.crash_states.strace_log import traced
from ckptcheck.drills.points import Trigger
from ckptcheck.drills.saves import FileEvent
from ckptcheck.drills.watching import Death, Watching
from ckptcheck.observer.faults import make_writable
from ckptcheck.observer.request import Request
from ckptcheck.run.folder import FOUND


@dataclass(frozen=True)
class Killed:
    """A run that was killed.

    Attributes:
        folder: the folder of its record; what it left is in `found`.
        death: when it was killed; None: it ended before that.
        done: the steps that it had done when it ended.
        steps_at: the time at which each number of steps was first seen.
        events: the changes of files in the folder that it wrote into.
        status: the exit status of its first process; negative: the signal that killed it.
        is_silent: whether it was killed because it made no step for too long.
    """

    folder: Path
    death: Death | None
    done: int
    steps_at: Mapping[int, float]
    events: Sequence[FileEvent]
    status: int
    is_silent: bool = False

    @property
    def found(self) -> Path:
        """What it left."""
        return self.folder / FOUND

    def seconds_since(self, steps: int) -> float:
        """Return how long before its death it had done so many steps, 0.0 if that is unknown.

        What came before its first step is no training.
        """
        if self.death is None:
            return 0.0
        later = [at for done, at in self.steps_at.items() if done >= max(steps, 1)]
        return max(0.0, self.death.at - min(later)) if later else 0.0


def run_and_kill(
    runs: CommandRuns,
    request: Request,
    hash_seed: str,
    trigger: Trigger | None,
    log: Path | None = None,
    at_change: Callable[[int], None] | None = None,
    prefix: Sequence[str] = (),
) -> Killed:
    """Run a command, and kill all of its processes once a point is reached.

    Args:
        runs: the runs of the command.
        request: what is recorded; its folder keeps what the command left, as `found`.
        hash_seed: the PYTHONHASHSEED of its processes.
        trigger: when it is killed; None: never.
        log: the file that strace logs its calls to; None: it is not traced.
        at_change: see `Watching`.
        prefix: what starts it, before its own words.
    """
    folder, place = Path(request.folder), Path(request.writes)
    folder.mkdir(parents=True)
    watching = Watching(place, folder, trigger, at_change)
    words = runs.command.words(place, request.restore is not None)
    try:
        ended = launch(
            [*prefix, *words] if log is None else traced(words, log),
            replace(request, shows_each_step=True),
            hash_seed,
            runs.settings.timeout,
            lambda done: None,
            runs.look,
            watching.began,
            (trigger and trigger.grace) or 0.0,
        )
    finally:
        watching.ended()
        if place.exists():
            make_writable(folder, place)
            shutil.move(place, folder / FOUND)
        else:  # the command deleted it, and is to find nothing
            (folder / FOUND).mkdir()
    done = max([*watching.steps_at, 0])
    seen = watching.steps_at, watching.events
    return Killed(folder, watching.death, done, *seen, ended.status, ended.is_silent)
