"""The line of one run: build, restore if resumed, step; at the boundary record, save, evaluate."""

import contextlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ckptcheck.errors import NotVerifiedError, UsageError
from ckptcheck.job.kinds import as_kinds, with_kinds
from ckptcheck.job.loading import loops
from ckptcheck.job.protocol import Restored, RestoreRefusedError, Step, Tensor
from ckptcheck.run import python_state
from ckptcheck.run.digests import digest
from ckptcheck.run.file_audit import FileAudit, lead_to_copy
from ckptcheck.run.folder import Recorder, control_of, crash_image_of, number
from ckptcheck.run.heartbeat import Emit, Heartbeat
from ckptcheck.run.snapshots import FINAL, INITIAL, after_point, as_tensors, boundary_point
from ckptcheck.run.task import UNEVALUATED, Task

# The checkpoint key of each tensor, or a function that returns them once they are known.
Asked = Mapping[str, str] | Callable[[], Mapping[str, str]] | None


class _EndOfRunError(BaseException):
    """Ends the loop of a `LoopingJob`. A `BaseException`, so that the job does not catch it."""


class Execution:
    """The line of a run, and its current phase, which locates an exception.

    It is the `Loop` of a `LoopingJob`; for any other job it makes the steps itself.
    """

    def __init__(self, job: Any, recorder: Recorder, task: Task, emit: Emit) -> None:
        self.job = job
        self.recorder = recorder
        self.facts = recorder.facts
        self.schedule = recorder.facts.schedule
        self.task = task
        self.emit = emit
        self.folder = task.run_folder / "checkpoints"
        self.restore = task.restore
        self.during = "build"
        self.step: int | None = None
        # Steps of the schedule done. Differs from the step index where the restore lost the step.
        self.start = self.done = 0 if task.restore is None else self.schedule.boundary
        self.first: int | None = None
        # A control that never saves may end right after the last save that it omits.
        self.end = self.schedule.boundaries[-1] + 1 if task.unsaved else self.schedule.steps
        self.saves = not task.unsaved
        self._saved = self.done
        self._built: set[str] = set()  # names of the tensors before the restore
        self._names: set[str] = set()  # names of the tensors at the boundary
        self._asked: Asked = None
        self._audit = FileAudit()
        self._reading = contextlib.ExitStack()
        self._kinds = {**as_kinds(getattr(job, "kinds", None), "kinds of the job"), **task.kinds}
        self._beat = Heartbeat(lambda count: emit("step", done=count))

    def carry_out(self) -> None:
        """Carry out the run."""
        if self.restore is None:
            self.folder.mkdir()  # a training loop of the job may save at any time
        self.job.build(self.facts.seed)
        self._built = set(self._snapshot(INITIAL))
        with self._reading:
            if self.restore is not None:
                self._restore(self.restore)
            self._looped(self.job.run) if loops(self.job) else self._steps()
        if callable(self._asked) and self.facts.asked is not None:
            # Tensors created after the restore have keys, too.
            self.facts.asked |= {
                name: key for name, key in self._asked().items() if name not in self._built
            }

    def before_step(self) -> None:
        """Do what is due between two steps."""
        if self.first is None:
            self.first = self._begin()
        elif self.restore is None and self.done in self.schedule.boundaries:
            self._at_boundary_of_control()
        else:
            # A resumed run saves and evaluates where its control does.
            if self.done in self.schedule.boundaries:
                self.may_save()
                self._at_second_boundary()
            elif self.restore is None and self.done == self.schedule.earlier:
                # An older checkpoint exposes a restore that does not read the newest one.
                self.may_save()
                self._snapshot(boundary_point(self.done))
            if self.schedule.evaluates_at(self.done):
                self._evaluate()
        self.during, self.step = "train", self.first + self.done - self.start

    def after_step(self, step: Step) -> None:
        """Record a step."""
        assert self.step is not None
        if not isinstance(step, Step):
            raise TypeError(
                f"train returned {type(step).__name__}; it must return ckptcheck.Step(loss, …)"
            )
        self.recorder.step(self.step, step)
        self.step = None
        self.done += 1
        self._beat(self.done)
        if self.done - 1 in self.schedule.boundaries:
            self._created_late()
        if self.done == self.end:
            self._finish()
        self.during = "run"

    def may_save(self) -> None:
        """Save if a save is due and missing."""
        is_due = self.done in self.schedule.boundaries or (
            self.done == self.schedule.earlier and self.restore is None
        )
        if not is_due or self._saved == self.done or not self.saves:
            return
        self.during = "save"
        self.folder.mkdir(exist_ok=True)
        self.job.save(self.folder, self.done)
        self.facts.saved.append(self.done)
        self._saved = self.done
        self.during = "run"

    def _restore(self, restore: str) -> None:
        self.during = "restore"
        _copy_crash_image(self.task, self.folder)
        self._reading.enter_context(self._audit.reading())
        try:
            restored = self.job.restore(self.folder, restore)
        except RestoreRefusedError as refusal:
            self._keys(refusal.asked, refusal.held)
            raise
        if restored is not None:
            if not isinstance(restored, Restored):
                raise UsageError(
                    f"restore returned {type(restored).__name__}. Return None, or "
                    "ckptcheck.Restored(asked, held, values)."
                )
            self._keys(restored.asked, restored.held)
            self.facts.values = None if restored.values is None else list(restored.values)

    def _keys(self, asked: Asked, held: Any) -> None:
        self._asked = asked
        asked = asked() if callable(asked) else asked
        self.facts.asked = None if asked is None else dict(asked)
        self.facts.held = None if held is None else list(held)

    def _steps(self) -> None:
        while self.done < self.end:
            self.before_step()
            assert self.step is not None
            self.after_step(self.job.train(self.step))

    def _looped(self, loop: Callable[["Execution"], None]) -> None:
        self.during = "run"
        with contextlib.suppress(_EndOfRunError):
            loop(self)
        if self.done < self.end:
            length = self.schedule.steps_per_epoch
            raise NotVerifiedError(
                f"its training loop ended after {self.done} of {self.schedule.steps} steps "
                f"({self.done / length:g} of {self.schedule.steps / length:.3g} epochs). Train for "
                "more epochs, or reduce --steps"
            )

    def _begin(self) -> int:
        """Do what is due before the first step of the process; return the index of the step."""
        first = self.facts.first_step = self._next_step()
        if self.restore is not None:
            self._reading.close()  # the restore is complete
            _check_read(self._audit, self.task)
            python_state.put(self.job, self.task.attributes)
            self._at_boundary()
        elif loops(self.job):
            self._snapshot(INITIAL)  # the loop creates some variables when it begins
        return first

    def _finish(self) -> None:
        if self.saves:
            self._evaluate()
            self._snapshot(FINAL)
        if self.task.repeat:  # last, because the evaluation may draw random numbers of the run
            self.facts.evaluated_twice = [self.facts.evaluations[-1][1], self._loss()]
        if loops(self.job):
            raise _EndOfRunError

    def _at_boundary_of_control(self) -> None:
        self.may_save()
        if self.task.is_control:
            # The control may save again; the copy is what a process killed here leaves behind.
            image = crash_image_of(Path(self.task.folder), self.done)
            shutil.copytree(self.folder, image, ignore_dangling_symlinks=True)
        following = self._next_step()
        if following != self.done:
            raise NotVerifiedError(
                f"its next_step returned {following} after {self.done} steps. Return the index "
                "of the next step, from 0"
            )
        self._at_boundary()
        if not self.task.twice or self.done == self.schedule.boundaries[0]:
            self.emit("boundary", boundary=self.done)

    def _at_second_boundary(self) -> None:
        """Keep what a resumed run saved, if a second one is to be resumed from it."""
        task = self.task
        if task.twice and not (task.after or task.trial) and self.done > task.boundary:
            shutil.copytree(
                self.folder,
                crash_image_of(task.run_folder, self.done),
                ignore_dangling_symlinks=True,
            )
            self.emit("boundary", boundary=self.done)

    def _at_boundary(self) -> None:
        before = self._snapshot(boundary_point(self.done))
        self._names = set(before)
        if self.task.trial == UNEVALUATED and self.done == self.task.boundary:
            return
        self._evaluate()
        after = _digests(self._state())
        changed = [name for name in before if name in after and after[name] != before[name]]
        if changed and _digests(self._state()) != after:
            raise NotVerifiedError(
                f"its state changes by itself: two reads of {changed[0]!r} differ, with no step or "
                "evaluation between them. Let state return neither clock readings nor new random "
                "numbers"
            )
        self.facts.changed_by_evaluation = sorted({*self.facts.changed_by_evaluation, *changed})

    def _created_late(self) -> None:
        """Record the state after the boundary's step, if that step creates tensors.

        A control records it always, because a resumed run may create tensors there.
        """
        if not getattr(self.job, "defers", False) or (
            self.restore is not None and self.done - 1 != self.schedule.boundary
        ):
            return
        if self.restore is None or set(self._state()) - self._names:
            self._snapshot(after_point(self.done - 1))

    def _next_step(self) -> int:
        self.during = "next_step"
        following = self.job.next_step()
        if int(following) != following:
            raise ValueError(f"next_step returned {following!r}, which is not an integer")
        return int(following)

    def _snapshot(self, point: str) -> dict[str, str]:
        """Record the state at a point; return the digest of each tensor by name."""
        state = self._state()
        self.recorder.snapshot(point, state)
        self.facts.attributes[point] = python_state.attribute_values(self.job)
        self.facts.generators[point] = python_state.generator_digests()
        return _digests(state)

    def _state(self) -> dict[str, Tensor]:
        self.during = "state"
        state = self.job.state()
        if not isinstance(state, Mapping):
            raise TypeError(
                f"state returned {type(state).__name__}; it must return tensors by name"
            )
        return with_kinds(as_tensors(state), self._kinds) | python_state.attribute_tensors(self.job)

    def _evaluate(self) -> None:
        self.facts.evaluations.append((self.done, self._loss()))

    def _loss(self) -> float:
        """Return the evaluation loss.

        Only ckptcheck evaluates at a boundary. Undo that evaluation's side effects, so that it can
        neither hide nor cause a difference: restore the generators of the process, and record the
        changes to the job's attributes.
        """
        self.during = "evaluate"
        if self.done not in self.schedule.boundaries:
            return number(self.job.evaluate(), "evaluation loss")
        before = python_state.attribute_values(self.job)
        with python_state.generators_kept():
            loss = number(self.job.evaluate(), "evaluation loss")
        changed = python_state.changed_attributes(self.job, before)
        self.facts.attributes_changed_by_evaluation[boundary_point(self.done)] = changed
        return loss


def _copy_crash_image(task: Task, folder: Path) -> None:
    """Copy the crash image for one run, which may write into its copy."""
    shutil.copytree(task.image, folder)
    pointer = lead_to_copy(folder, task.saved_by / "checkpoints")
    if pointer is not None:
        raise NotVerifiedError(
            f"its checkpoint file {pointer.name!r} names the original folder by an absolute path, "
            "so the restore would read that folder instead of the crash image. Save paths "
            "relative to the folder"
        )


def _check_read(audit: FileAudit, task: Task) -> None:
    """Reject a restore that read a file written during this verification outside its own copy."""
    began = (control_of(Path(task.folder)) / f"{INITIAL}.npz").stat().st_mtime
    outside = audit.written_since(began, but=[task.run_folder])
    if outside:
        raise NotVerifiedError(
            f"its restore read {outside[0]}, which was written during this verification but is not "
            "part of the checkpoint, so it may not survive a crash. Save it with the checkpoint"
        )


def _digests(state: Mapping[str, Tensor]) -> dict[str, str]:
    return {name: digest(tensor.value) for name, tensor in state.items()}
