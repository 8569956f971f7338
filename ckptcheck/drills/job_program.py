"""A job in a class as a program: it trains, saves after each epoch, and goes on from what it finds.

`python -m ckptcheck.drills.job_program file.py:Train FOLDER` does by hand what a drill kills.
"""

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

from ckptcheck.job.kinds import as_kinds, with_kinds
from ckptcheck.job.loading import loops
from ckptcheck.job.protocol import POISON, RestoreRefusedError, Step, Tensor
from ckptcheck.job.shipped import make_job
from ckptcheck.kinds import Kind
from ckptcheck.observer import hooks
from ckptcheck.observer.observation import Observation
from ckptcheck.observer.program import Program
from ckptcheck.observer.request import Request
from ckptcheck.run.snapshots import as_tensors
from ckptcheck.run.step_count import StepCounter
from ckptcheck.run.writes import Writes

_EPOCHS = 4  # and thus three saves before the end


class _EndOfTrainingError(BaseException):
    """Ends the loop of a `LoopingJob`. A `BaseException`, so that the job does not catch it."""


class _OfJob(Program):
    """The job in place of the program: its attributes are what is kept outside of its state."""

    def __init__(self, job: Any) -> None:
        super().__init__()
        self._job = job

    def held(self) -> dict[str, Any]:
        """Return the attributes of the job."""
        return dict(vars(self._job))


class _State:
    """The live state of a job at one moment."""

    def __init__(self, job: Any) -> None:
        self._job = job
        kinds = as_kinds(getattr(job, "kinds", None), "kinds of the job")
        self.tensors: Mapping[str, Tensor] = with_kinds(as_tensors(job.state()), kinds)

    def again(self, *kinds: Kind) -> Mapping[str, Tensor]:
        """Return the present values of the same tensors; of some kinds alone, if any are given."""
        now = _State(self._job).tensors
        return {name: each for name, each in now.items() if not kinds or each.kind in kinds}


class Training:
    """The training loop of a job, and the `Loop` of a job that has its own.

    Args:
        job: the job, built, and restored where something was saved.
        observation: what is told of steps and saves.
        folder: the folder of checkpoints.
    """

    saves = True

    def __init__(self, job: Any, observation: Observation, folder: Path) -> None:
        self.folder, self.restore = folder, job.restores[0]
        self._job, self._observation = job, observation
        self._done = self._saved = -1  # until the first step, a job with its own loop knows neither

    def before_step(self) -> None:
        """Save if that is due, and report that a step begins."""
        if self._done < 0:
            self._done = self._saved = int(self._job.next_step())
        self.may_save()
        self._observation.before(self._job)

    def after_step(self, step: Step) -> None:
        """Report what the step did; end the loop after the last one."""
        batch = step.batch or ()
        arrays = list(batch.values() if isinstance(batch, Mapping) else batch)
        self._observation.stepped(self._job, step.loss, arrays, step.learning_rate)
        self._done += 1
        if self._done >= _EPOCHS * self._job.steps_per_epoch:
            raise _EndOfTrainingError

    def may_save(self) -> None:
        """Save after each epoch, once."""
        if self._done % self._job.steps_per_epoch or self._saved == self._done:
            return
        self._observation.saving()
        self._job.save(self.folder, self._done)
        self._saved = self._done
        self._observation.saved("save", self.folder)

    def run(self) -> None:
        """Train to the end."""
        with contextlib.suppress(_EndOfTrainingError):
            if loops(self._job):
                self._job.run(self)
            else:
                self._steps()

    def _steps(self) -> NoReturn:
        while True:
            self.before_step()
            self.after_step(self._job.train(self._done))


def train(target: str, folder: Path) -> None:
    """Make a job, restore it if its folder holds anything, and train it to the end."""
    counting = StepCounter(lambda: int(make_job(target, {}, None)[0].count_steps()), Writes())
    with closing(counting) as counter:
        job, seed = make_job(target, {}, None)
        if not hasattr(job, "steps_per_epoch"):
            job.steps_per_epoch = counter.count()
    request = Request.of(json.loads(Path(os.environ[hooks.ENVIRONMENT]).read_text("utf-8")))
    observation = Observation(request, lambda: _State(job), dict, _OfJob(job))
    observation.framework = getattr(job, "framework", "")
    # A restore that does nothing must not look like one that works.
    job.build(seed if request.is_control else seed + POISON)
    if any(folder.iterdir()):
        _restore(job, observation, folder)
    Training(job, observation, folder).run()


def _restore(job: Any, observation: Observation, folder: Path) -> None:
    """Restore a job by its usual restore."""
    observation.restoring("restore", str(folder), job.restores[0])
    try:
        job.restore(folder, job.restores[0])
    except RestoreRefusedError as refusal:
        raise refusal.error from None
    observation.restored()


if __name__ == "__main__":
    train(sys.argv[1], Path(sys.argv[2]))
