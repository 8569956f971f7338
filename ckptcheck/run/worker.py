"""One fresh process: build, maybe restore, step, record. Started by `fork_server`, told what to do by a `Task`."""

import contextlib
import errno
import os
import random
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ckptcheck.errors import CkptcheckError, NotVerifiedError, UsageError
from ckptcheck.job.loading import loops
from ckptcheck.job.protocol import POISON, Restored, RestoreRefusedError, Step, Tensor
from ckptcheck.job.schedule import BOUNDARY_EPOCHS, Schedule, make_schedule
from ckptcheck.job.shipped import make_job
from ckptcheck.kinds import Kind
from ckptcheck.run import environment
from ckptcheck.run import python_state as remembered
from ckptcheck.run.digests import digest
from ckptcheck.run.file_audit import lead_to_copy, opened_files, written_since
from ckptcheck.run.folder import Recorder, control_of, crash_image_of, number, resumed_of
from ckptcheck.run.heartbeat import Heartbeat
from ckptcheck.run.run import Facts, Failure
from ckptcheck.run.snapshots import FINAL, INITIAL, after_point, boundary_point
from ckptcheck.run.task import Task

Say = Callable[..., None]

# Full disk, quota, file size limit, memory, open files, read-only: no fault of the job or of the restore.
MACHINE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM, errno.EMFILE, errno.EROFS)


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
    usual = getattr(job, "boundary_epochs", BOUNDARY_EPOCHS)
    schedule = make_schedule(job.steps_per_epoch, task.steps, task.boundaries, usual)
    if task.restore is not None:
        schedule = schedule.at(task.boundary)
    first = 0 if task.restore is None else schedule.boundary
    say("described", restores=list(job.restores), steps=schedule.steps, first=first, boundaries=list(schedule.boundaries))
    if task.restore is not None and task.restore not in job.restores:
        raise UsageError(f"{task.job} has no restore {task.restore}.")  # the parent has been told, and says so better
    _recorded(job, seed, schedule, task, say, hash_seed)


def _check_restores(restores: Sequence[str]) -> None:
    if isinstance(restores, str):
        raise UsageError(f"The restores of a job are a sequence of names, not the text {restores!r}: write ({restores!r},).")
    folders = [resumed_of(Path(), restore, 1) for restore in restores]
    if len(set(folders)) < len(folders):
        raise UsageError(f"The restores {', '.join(restores)} need names that differ in letters, digits, dots or dashes.")
    if not restores:
        raise UsageError("The job names no restore: there is nothing to verify.")


def _role(task: Task) -> str:
    if task.restore is not None:
        return "resumed"
    return "repeat" if task.repeat else "unsaved" if task.unsaved else "control"


def _recorded(job: Any, seed: int, schedule: Schedule, task: Task, say: Say, hash_seed: str) -> None:
    facts = Facts(
        role=_role(task),
        job=task.job,
        restore=task.restore,
        seed=seed if task.restore is None else seed + POISON,
        schedule=schedule,
        hash_seed=hash_seed,
        process=os.getpid(),
        started=time.time(),
        framework=getattr(job, "framework", ""),
        repeat=task.repeat,
    )
    recorder = Recorder(task.run_folder, facts)
    execution = _Execution(job, recorder, schedule, task, say)
    try:
        execution.carry_out()
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


class _EndOfRunError(BaseException):
    """Ends a loop that is not ours. No error of the job: nothing should catch it."""


class _Execution:
    """The line of a run, with the place it has reached, so that an exception can be laid where it belongs.

    It is the `Loop` of a job that runs its training loop itself; for any other it makes the steps.
    """

    def __init__(self, job: Any, recorder: Recorder, schedule: Schedule, task: Task, say: Say) -> None:
        self.job = job
        self.recorder = recorder
        self.facts = recorder.facts
        self.schedule = schedule
        self.task = task
        self.say = say
        self.folder = task.run_folder / "checkpoints"
        self.restore = task.restore
        self.during = "build"
        self.step: int | None = None
        # Steps of the schedule that are done. The index of a step differs from it where the step was lost.
        self.start = self.done = 0 if task.restore is None else schedule.boundary
        self.first: int | None = None
        # A control that never saves need not go on for long after the last save that it leaves out.
        self.end = schedule.boundaries[-1] + 1 if task.unsaved else schedule.steps
        self.saves = not task.unsaved
        self._saved = self.done
        self._built: set[str] = set()  # names of what there was before the restore
        self._names: set[str] = set()  # and at the boundary
        self._asked: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None
        self._opened = contextlib.ExitStack()
        self._beat = Heartbeat(lambda count: say("step", done=count))

    def carry_out(self) -> None:
        """Carry out the whole run."""
        self._build()
        with self._opened:
            if self.restore is not None:
                self._restore(self.restore)
            self._looped(self.job.run) if loops(self.job) else self._steps()
        if callable(self._asked) and self.facts.asked is not None:
            # What came to be only after the restore is asked for, too.
            self.facts.asked |= {name: key for name, key in self._asked().items() if name not in self._built}

    def _steps(self) -> None:
        while self.done < self.end:
            self.before_step()
            assert self.step is not None
            self.after_step(self.job.train(self.step))

    def _looped(self, loop: Callable[["_Execution"], None]) -> None:
        self.during = "run"
        with contextlib.suppress(_EndOfRunError):
            loop(self)
        if self.done < self.end:
            raise NotVerifiedError(
                f"its training loop ended after {self.done} of {self.schedule.steps} steps. Let it train for more epochs, or "
                "give fewer --steps"
            )

    def before_step(self) -> None:
        """Do what is due between two steps."""
        if self.first is None:
            self._begin()
        elif self.done in self.schedule.boundaries:
            if self.restore is None:
                self._at_boundary_of_control()
            else:  # it goes on as its control does, which saves and evaluates here
                self.may_save()
                self._evaluate()
        elif self.done == self.schedule.earlier and self.restore is None:
            self._at_earlier_save()
        elif self.schedule.evaluates_at(self.done):
            self._evaluate()
        assert self.first is not None
        self.during, self.step = "train", self.first + self.done - self.start

    def after_step(self, step: Step) -> None:
        """Record a step."""
        assert self.step is not None
        if not isinstance(step, Step):
            raise TypeError(f"train returned {type(step).__name__}; it must return ckptcheck.Step(loss, …)")
        self.recorder.step(self.step, step)
        self.step = None
        self.done += 1
        self._beat(self.done)
        if self.done - 1 in self.schedule.boundaries:
            self._created_late()
        if self.done == self.end:
            if self.saves:
                self._evaluate()
                self._snapshot(FINAL)
            if self.task.repeat:  # in the very end: it may draw from what the run draws from
                self.facts.evaluated_twice = [self.facts.evaluations[-1][1], self._evaluated()]
            if loops(self.job):
                raise _EndOfRunError
        self.during = "run"

    def may_save(self) -> None:
        """Save if that is due and has not been done."""
        if self.done not in (*self.schedule.boundaries, self.schedule.earlier) or self._saved == self.done or not self.saves:
            return
        if self.done == self.schedule.earlier and self.restore is not None:
            return
        self.during = "save"
        self.folder.mkdir(exist_ok=True)
        self.job.save(self.folder, self.done)
        self.facts.saved.append(self.done)
        self._saved = self.done
        self.during = "run"

    def failure(self, error: Exception) -> Failure:
        """Lay an exception where it belongs."""
        cause = error.error if isinstance(error, RestoreRefusedError) else error
        return Failure(
            self.during, type(cause).__name__, str(cause).strip(), self.step, _place(error).removeprefix(" at ") or None
        )

    def _build(self) -> None:
        if self.restore is None:
            self.folder.mkdir()  # a loop of its own may save whenever it likes
        self.job.build(self.facts.seed)
        self._built = set(self._snapshot(INITIAL))

    def _begin(self) -> None:
        """Do what is due before the first step of the process."""
        self.first = self._next_step()
        self.facts.first_step = self.first
        if self.restore is not None:
            self._opened.close()  # whatever was to be restored has been
            self._check_opened(self._read)
            remembered.put(self.job, self.task.attributes)
            self._at_boundary()
            return
        self._saved = 0
        if loops(self.job):
            self._snapshot(INITIAL)  # some variables are made only when the loop begins

    def _at_boundary_of_control(self) -> None:
        self.may_save()
        if not (self.task.repeat or self.task.unsaved):
            # A copy: the control may save again, and what is restored is what a process killed here leaves behind.
            image = crash_image_of(Path(self.task.folder), self.done)
            shutil.copytree(self.folder, image, ignore_dangling_symlinks=True)
        following = self._next_step()
        if following != self.done:
            raise NotVerifiedError(f"its next_step says {following} after {self.done} steps; the steps are counted from 0")
        self._at_boundary()
        self.say("boundary", boundary=self.done)

    def _at_earlier_save(self) -> None:
        """Save once before the first boundary: a restore that finds the wrong checkpoint needs one to find."""
        self.may_save()
        self._snapshot(boundary_point(self.done))
        if self.schedule.evaluates_at(self.done):
            self._evaluate()

    def _next_step(self) -> int:
        self.during = "next_step"
        found = self.job.next_step()
        if int(found) != found:
            raise ValueError(f"next_step returned {found!r}, which is no step number")
        return int(found)

    def _restore(self, restore: str) -> None:
        self.during = "restore"
        # Each run has a copy of its own, to save into or to mend as it likes.
        shutil.copytree(crash_image_of(Path(self.task.folder), self.schedule.boundary), self.folder)
        pointer = lead_to_copy(self.folder, control_of(Path(self.task.folder)) / "checkpoints")
        if pointer is not None:
            raise NotVerifiedError(
                f"its checkpoint ({pointer.name}) names the folder it was saved to by an absolute path, and so would be "
                "restored from there and not from what a crash leaves. Save by paths relative to the folder"
            )
        self._read = self._opened.enter_context(opened_files())
        try:
            restored = self.job.restore(self.folder, restore)
        except RestoreRefusedError as refusal:
            self._keys(refusal.asked, refusal.held)
            raise
        if restored is not None and not isinstance(restored, Restored):
            raise UsageError(
                f"restore returned {type(restored).__name__}; it returns nothing, or ckptcheck.Restored(asked, held, values)"
            )
        if restored is not None:
            self._keys(restored.asked, restored.held)
            self.facts.values = None if restored.values is None else list(restored.values)

    def _check_opened(self, opened: dict[str, bool]) -> None:
        began = (control_of(Path(self.task.folder)) / f"{INITIAL}.npz").stat().st_mtime
        outside = written_since(opened, began, but=[self.task.run_folder])
        if outside:
            raise NotVerifiedError(
                f"its restore read {outside[0]}, which was written during this verification and is not part of the "
                "checkpoint: a crash may not leave it as it was read"
            )

    def _keys(self, asked: Mapping[str, str] | Callable[[], Mapping[str, str]] | None, held: Any) -> None:
        self._asked = asked
        asked = asked() if callable(asked) else asked
        self.facts.asked = None if asked is None else dict(asked)
        self.facts.held = None if held is None else list(held)

    def _at_boundary(self) -> None:
        before = self._snapshot(boundary_point(self.done))
        self._names = set(before)
        self._evaluate()
        after = self._digests()
        changed = [name for name in before if name in after and after[name] != before[name]]
        if changed and self._digests() != after:
            raise NotVerifiedError(
                f"its state changes by itself: {changed[0]} for one had two values with no step and no evaluation in between. "
                "A state that reads a clock or draws random numbers cannot be compared"
            )
        self.facts.changed_by_evaluation = sorted({*self.facts.changed_by_evaluation, *changed})

    def _created_late(self) -> None:
        """Record what came to be in the step after the boundary; in a control, what may come to be there when resumed."""
        if not getattr(self.job, "defers", False) or (self.restore is not None and self.done - 1 != self.schedule.boundary):
            return
        if self.restore is None or set(self._state()) - self._names:
            self._snapshot(after_point(self.done - 1))

    def _snapshot(self, point: str) -> dict[str, str]:
        """Record the state at a point; return the digest of each tensor."""
        state = self._state()
        self.recorder.snapshot(point, state)
        self.facts.attributes[point] = remembered.attributes(self.job)
        self.facts.generators[point] = dict(remembered.generators())
        return _digested(state)

    def _digests(self) -> dict[str, str]:
        return _digested(self._state())

    def _state(self) -> dict[str, Tensor]:
        self.during = "state"
        found = self.job.state()
        if not isinstance(found, Mapping):
            raise TypeError(f"state returned {type(found).__name__}; it must return tensors by name")
        return {
            name: tensor if isinstance(tensor, Tensor) else Tensor(Kind.OTHER, np.array(tensor))
            for name, tensor in found.items()
        }

    def _evaluate(self) -> None:
        self.facts.evaluations.append((self.done, self._evaluated()))

    def _evaluated(self) -> float:
        """Evaluate. A training run does so at the edges of its epochs, and not because it was saved or restored.

        What an evaluation at a boundary does beside it, such as seeding a generator or leaving evaluation mode, must not heal
        a run, or harm it, and is taken back: in a control, and in every run that comes by there.
        """
        self.during = "evaluate"
        if self.done not in self.schedule.boundaries:
            return number(self.job.evaluate(), "evaluation loss")
        generators = random.getstate(), np.random.get_state()
        before = remembered.attributes(self.job)
        found = number(self.job.evaluate(), "evaluation loss")
        random.setstate(generators[0])
        np.random.set_state(generators[1])
        remembered.put_back(self.job, before)
        return found


def _digested(state: Mapping[str, Tensor]) -> dict[str, str]:
    return {name: digest(tensor.value) for name, tensor in state.items()}


def _trouble(error: Exception) -> str | None:
    """Return what an exception says of the machine, if it speaks of the machine and not of the job."""
    for code in MACHINE_ERRORS:
        # TensorFlow puts what the operating system said into the text of its own exceptions.
        if getattr(error, "errno", None) == code or (not isinstance(error, OSError) and os.strerror(code) in str(error)):
            return f"it could not write its files: {os.strerror(code)}"
    return None


def _place(error: BaseException) -> str:
    """Return ` at file:line`, the last place outside this package and outside installed packages, if there is one."""
    here = str(Path(__file__).parents[1])
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((here, sys.prefix, sys.base_prefix, "<"))
    ]
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
