"""One fresh process: build, maybe restore, step, record. Started by `ckptcheck.server`, told what to do by a `Task`."""

import errno
import os
import random
import shutil
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ckptcheck import environment, jobs, run
from ckptcheck.errors import CkptcheckError, NotVerifiedError, UsageError
from ckptcheck.job import Job, RestoreRefusedError, Schedule, load
from ckptcheck.jobs import options as job_options
from ckptcheck.opened import lead_to_copy, opened_files, written_since

Say = Callable[..., None]

# Full disk, quota, file size limit, memory, open files, read-only: no fault of the job or of the restore.
MACHINE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM, errno.EMFILE, errno.EROFS)

# A resumed process starts from other initial values: a restore that does nothing cannot look like one that works.
POISON = 1_000_003

# Default length of a run and place of the boundary, in epochs: in mid-epoch, epoch edges on both sides.
EPOCHS = 3.5
BOUNDARY_EPOCHS = 2.5


# Control and resumed must not share the order of their sets.
CONTROL_HASH_SEED = "1"
RESUMED_HASH_SEED = "2"


@dataclass(frozen=True)
class Task:
    """What one process is to do. Without a restore it is the control, which saves and goes on.

    `folder` is the job's, where the folders of its runs and its crash image lie.
    """

    job: str
    folder: str
    restore: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    steps: int | None = None
    boundary: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    entry: ClassVar[str] = __name__

    @property
    def name(self) -> str:
        """The process as progress shows it."""
        return f"{self.job} control" if self.restore is None else f"{self.job} × {self.restore}"

    @property
    def run_folder(self) -> Path:
        """Where the process records."""
        return run.folder_of(Path(self.folder), self.restore)

    @property
    def crash_image(self) -> Path:
        """What the control leaves and a resumed run is restored from."""
        return run.crash_image_of(Path(self.folder))

    @property
    def hash_seed(self) -> str:
        """PYTHONHASHSEED of the process."""
        return CONTROL_HASH_SEED if self.restore is None else RESUMED_HASH_SEED


def make_job(name: str, given: Mapping[str, str]) -> tuple[Job, int]:
    """Return the job of that name, shipped or a user's own, and the seed of its initial values."""
    if ":" in name:
        job: Job = load(name)()
        return job, 0
    shipped = jobs.shipped(name)
    options = job_options.parse(shipped.options, name, given)
    return load(shipped.target)(options), options.seed


def make_schedule(steps_per_epoch: int, steps: int | None, boundary: int | None) -> Schedule:
    """Return the asked-for schedule; what was not asked for follows from the length of an epoch or of the run."""
    if steps is None:
        steps = max(2, int(EPOCHS * steps_per_epoch))
        boundary = max(1, int(BOUNDARY_EPOCHS * steps_per_epoch)) if boundary is None else boundary
    return Schedule(steps, steps // 2 if boundary is None else boundary, steps_per_epoch)


def main(task: Task, say: Say) -> int:
    """Carry out a task. `say` tells the parent how far it is. Returns the exit status of the process.

    Everything that went wrong in the job is recorded in the run's folder; what is wrong with the request is said.
    """
    hash_seed = os.environ.get("PYTHONHASHSEED", "random")  # what it is now: a job may write another into the environment
    os.environ.update(task.environment)
    return told(lambda: _carry_out(task, say, hash_seed), say)


def told(work: Callable[[], None], say: Say) -> int:
    """Do the work of a process; say what goes wrong in it. Returns the exit status of the process."""
    try:
        work()
    except UsageError as error:
        say("usage", text=str(error))
        return 2
    except CkptcheckError as error:
        say("trouble", text=str(error))
        return 3
    except MemoryError:
        say("trouble", text="it ran out of memory")
        return 3
    except Exception as error:
        traceback.print_exc()
        say("trouble", text=_trouble(error) or f"it could not be set up: {type(error).__name__}: {error}{_place(error)}")
        return 3
    return 0


def _carry_out(task: Task, say: Say, hash_seed: str) -> None:
    job, seed = make_job(task.job, task.options)
    _check_restores(job.restores)
    schedule = make_schedule(job.steps_per_epoch, task.steps, task.boundary)
    first = 0 if task.restore is None else schedule.boundary
    say("described", restores=list(job.restores), steps=schedule.steps, first=first)
    if task.restore is not None and task.restore not in job.restores:
        raise UsageError(f"{task.job} has no restore {task.restore}.")  # the parent has been told, and says so better
    _recorded(job, seed, schedule, task, say, hash_seed)


def _check_restores(restores: Sequence[str]) -> None:
    if isinstance(restores, str):
        raise UsageError(f"The restores of a job are a sequence of names, not the text {restores!r}: write ({restores!r},).")
    folders = [run.folder_of(Path(), restore) for restore in restores]
    if len(set(folders)) < len(folders):
        raise UsageError(f"The restores {', '.join(restores)} need names that differ in letters, digits, dots or dashes.")


def _recorded(job: Job, seed: int, schedule: Schedule, task: Task, say: Say, hash_seed: str) -> None:
    facts = run.Facts(
        role="control" if task.restore is None else "resumed",
        job=task.job,
        restore=task.restore,
        seed=seed if task.restore is None else seed + POISON,
        schedule=schedule,
        hash_seed=hash_seed,
        process=os.getpid(),
    )
    recorder = run.Recorder(task.run_folder, facts)
    execution = _Execution(job, recorder, schedule, task, say)
    try:
        execution.control() if task.restore is None else execution.resumed(task.restore)
        facts.finished = True
    except (CkptcheckError, MemoryError):
        raise
    except Exception as error:
        trouble = _trouble(error)
        if trouble:
            raise NotVerifiedError(trouble) from error
        traceback.print_exc()
        facts.failure = execution.failure(error)
    finally:
        facts.environment = environment.fingerprint()
        recorder.close()


class _Execution:
    """The line of a run, with the place it has reached, so that an exception can be laid where it belongs."""

    def __init__(self, job: Job, recorder: run.Recorder, schedule: Schedule, task: Task, say: Say) -> None:
        self.job = job
        self.recorder = recorder
        self.facts = recorder.facts
        self.schedule = schedule
        self.task = task
        self.say = say
        self.during = "build"
        self.step: int | None = None

    def control(self) -> None:
        self._build()
        self._steps(0, 0, self.schedule.boundary)
        self._save()
        following = self._next_step()
        if following != self.schedule.boundary:
            raise NotVerifiedError(
                f"its next_step says {following} after {self.schedule.boundary} steps; the steps are counted from 0"
            )
        self._at_boundary()
        self.say("boundary")
        self._steps(self.schedule.boundary, self.schedule.boundary, self.schedule.steps)
        self._snapshot("final")

    def resumed(self, restore: str) -> None:
        self._build()
        self.during = "restore"
        self._restore(restore)
        first = self._next_step()
        self.facts.first_step = first
        self._at_boundary()
        self._steps(first, self.schedule.boundary, self.schedule.steps)
        self._snapshot("final")

    def failure(self, error: Exception) -> run.Failure:
        cause = error.error if isinstance(error, RestoreRefusedError) else error
        return run.Failure(
            self.during, type(cause).__name__, str(cause).strip(), self.step, _place(error).removeprefix(" at ") or None
        )

    def _build(self) -> None:
        self.job.build(self.facts.seed)
        self._snapshot("initial")
        if self.facts.restore is None:
            self.facts.first_step = self._next_step()

    def _next_step(self) -> int:
        self.during = "next_step"
        found = self.job.next_step()
        if int(found) != found:
            raise ValueError(f"next_step returned {found!r}, which is no step number")
        return int(found)

    def _save(self) -> None:
        self.during = "save"
        checkpoints = self.task.run_folder / "checkpoints"
        checkpoints.mkdir()
        self.job.save(checkpoints, self.schedule.boundary)
        # A copy: the control may save again, and what is restored is what a process killed here leaves behind.
        shutil.copytree(checkpoints, self.task.crash_image, ignore_dangling_symlinks=True)

    def _restore(self, restore: str) -> None:
        # Each run has a copy of its own, to save into or to mend as it likes.
        image = self.task.run_folder / "checkpoints"
        shutil.copytree(self.task.crash_image, image)
        pointer = lead_to_copy(image, run.folder_of(Path(self.task.folder), None) / "checkpoints")
        if pointer is not None:
            raise NotVerifiedError(
                f"its checkpoint ({pointer.name}) names the folder it was saved to by an absolute path, and so would be "
                "restored from there and not from what a crash leaves. Save by paths relative to the folder"
            )
        try:
            with opened_files() as opened:
                restored = self.job.restore(image, restore)
            self._check_opened(opened)
        except RestoreRefusedError as refusal:
            self._keys(refusal.asked, refusal.held)
            raise
        if restored is not None:
            self._keys(restored.asked, restored.held)

    def _check_opened(self, opened: dict[str, bool]) -> None:
        began = (run.folder_of(Path(self.task.folder), None) / "initial.npz").stat().st_mtime
        outside = written_since(opened, began, but=[self.task.run_folder])
        if outside:
            raise NotVerifiedError(
                f"its restore read {outside[0]}, which was written during this verification and is not part of the "
                "checkpoint: a crash may not leave it as it was read"
            )

    def _keys(self, asked: Mapping[str, str] | None, held: Any) -> None:
        self.facts.asked = None if asked is None else dict(asked)
        self.facts.held = None if held is None else list(held)

    def _at_boundary(self) -> None:
        before = self._snapshot("boundary")
        self._evaluate(self.schedule.boundary)
        self.during = "state"
        after = self.job.state()
        self.facts.changed_by_evaluation = [
            name for name in before if name in after and run.digest(after[name].value) != before[name]
        ]

    def _snapshot(self, point: str) -> dict[str, str]:
        """Record the state at a point; return the digest of each tensor."""
        self.during = "state"
        state = self.job.state()
        self.recorder.snapshot(point, state)
        return {name: run.digest(tensor.value) for name, tensor in state.items()}

    def _evaluate(self, done: int) -> None:
        self.during = "evaluate"
        generators = random.getstate(), np.random.get_state()
        self.facts.evaluations.append((done, float(self.job.evaluate())))
        if done % self.schedule.steps_per_epoch and done != self.schedule.steps:
            # A training run evaluates at the edges of its epochs; this one is ours. A seed that it sets must not heal the run.
            random.setstate(generators[0])
            np.random.set_state(generators[1])

    def _steps(self, first: int, done: int, until: int) -> None:
        """Execute steps from index `first` on, as many as lead from `done` to `until`; the two differ if the step is lost."""
        beat = run.Heartbeat(lambda count: self.say("step", done=count))
        for index in range(first, first + until - done):
            self.during, self.step = "train", index
            self.recorder.step(index, self.job.train(index))
            done += 1
            beat(done)
            if self.schedule.evaluates_at(done) and done != self.schedule.boundary:
                self._evaluate(done)
        self.step = None


def _trouble(error: Exception) -> str | None:
    """Return what an exception says of the machine, if it speaks of the machine and not of the job."""
    for code in MACHINE_ERRORS:
        # TensorFlow puts what the operating system said into the text of its own exceptions.
        if getattr(error, "errno", None) == code or (not isinstance(error, OSError) and os.strerror(code) in str(error)):
            return f"it could not write its files: {os.strerror(code)}"
    return None


def _place(error: BaseException) -> str:
    """Return ` at file:line`, the last place outside this package and outside installed packages, if there is one."""
    here = str(Path(__file__).parent)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((here, sys.prefix, sys.base_prefix, "<"))
    ]
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
