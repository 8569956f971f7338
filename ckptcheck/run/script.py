"""Record a run from inside a training script, for `ckptcheck compare`."""

import atexit
import operator
import os
import random
import sys
import time
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ckptcheck.errors import UsageError
from ckptcheck.job import frameworks
from ckptcheck.job.kinds import as_kinds, with_kinds
from ckptcheck.job.protocol import Step, Tensor
from ckptcheck.job.schedule import Schedule
from ckptcheck.kinds import Kind
from ckptcheck.run import environment
from ckptcheck.run.digests import snapshot_digest
from ckptcheck.run.folder import Recorder, number
from ckptcheck.run.run import RECORDED, Facts, Failure
from ckptcheck.run.snapshots import FINAL, INITIAL, after_point, as_tensors, boundary_point

# The live state: a function that returns arrays or `Tensor`s by name, or objects of a framework.
State = Callable[[], Mapping[str, Any]] | Sequence[Any]


class Recording:
    """The recording of a script's run, made by `record`.

    It is a context manager. Without `with`, it ends when the process ends, or with `close`.
    """

    def __init__(self, folder: Path, state: State, name: str, kinds: Mapping[str, str]) -> None:
        self._state = state if callable(state) else partial(frameworks.state_of(state), state)
        self._kinds = kinds
        # A placeholder: the schedule is known only when the run has ended.
        self._facts = Facts(RECORDED, name, None, 0, Schedule(2, 1, 1))
        self._facts.framework = _style_of(state)
        self._facts.hash_seed = os.environ.get("PYTHONHASHSEED", "random")
        self._facts.process, self._facts.started = os.getpid(), time.time()
        self._recorder = Recorder(folder, self._facts)
        self._boundaries: list[int] = []
        self._next = 0
        self._initial = self._snapshot(INITIAL)
        self._is_open = True
        atexit.register(self._at_exit)

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._close(error)

    def close(self) -> None:
        """Record the final state, and end the recording."""
        self._close(None)

    @property
    def done(self) -> int | None:
        """The number of steps done; None before the first step, where only the script knows it."""
        return None if self._facts.first_step is None else self._next

    def callback(
        self,
        validation: Any = None,
        *,
        boundaries: Collection[int] = (),
        steps_per_epoch: int | None = None,
    ) -> Any:
        """Return a callback that records a Keras `fit`. Pass it after all callbacks that save.

        It records each step, and the state at the end of each epoch; in a restored run also before
        the first step.

        Args:
            validation: The data to evaluate there, a dataset or a pair (x, y). Default: no
                evaluation, so state that only evaluation reads is compared as tensors alone.
            boundaries: Further numbers of steps after which the script saves.
            steps_per_epoch: The number of batches in an epoch, where the data have no length.

        Raises:
            UsageError: Keras is not imported.

        Example:
            ```python
            with ckptcheck.record("runs/control", [model]) as run:
                model.fit(x, y, epochs=4, callbacks=[saving, run.callback((x_val, y_val))])
            ```
        """
        make = frameworks.fit_callback()
        made = make(self, validation, boundaries, steps_per_epoch)
        self._facts.framework = made.framework
        return made

    def boundary(self, step: int) -> None:
        """Record the live state right after a checkpoint was saved or restored.

        Call it before the next step; in a restored run, before the first step.

        Args:
            step: The number of steps in the checkpoint.

        Raises:
            UsageError: The run has recorded a different number of steps.
        """
        step = operator.index(step)  # a session returns the step as a NumPy integer
        if self._facts.first_step is None and step:
            self._next = self._facts.first_step = step
            # Equal states: the restore came before `record`, so the initial state is unknown.
            if self._snapshot(boundary_point(step)) == self._initial:
                self._recorder.snapshot(INITIAL, {})
        elif step != self._next:
            raise UsageError(
                f"boundary({step}) was called after {self._next} recorded steps. Pass the number "
                "of steps in the checkpoint, and record every step before it."
            )
        elif step:
            self._snapshot(boundary_point(step))
        if step:
            self._boundaries.append(step)

    def step(
        self,
        loss: Any,
        batch: Sequence[Any] | Mapping[str, Any] | None = None,
        learning_rate: Any = None,
    ) -> None:
        """Record a training step.

        Args:
            loss: The training loss before the update.
            batch: The arrays or tensors that the step consumed, in a fixed order or by name.
            learning_rate: The learning rate that the update used.

        Raises:
            TypeError: The loss or the learning rate is not a number, or the batch holds no arrays.
        """
        if self._facts.first_step is None:
            self._facts.first_step = self._next
        arrays = None if batch is None else frameworks.arrays_of(batch)
        self._recorder.step(self._next, Step(_single(loss), arrays, _single(learning_rate)))
        if self._next in self._boundaries:
            # This step may create, and restore, some variables.
            self._snapshot(after_point(self._next))
        self._next += 1

    def evaluation(self, loss: Any) -> None:
        """Record an evaluation loss of the current state.

        Evaluate right after a save and after its restore: evaluation shows losses of state that
        training does not read, such as moving averages.

        Args:
            loss: The evaluation loss.

        Raises:
            TypeError: The loss is not a number.
        """
        self._facts.evaluations.append((self._next, number(_single(loss), "evaluation loss")))

    @property
    def generators(self) -> dict[str, Tensor]:
        """The states of Python's and NumPy's global generators, as tensors by name.

        Add them to the state of a run that draws from these generators and saves them.
        """
        numpy_state: Any = np.random.get_state(legacy=True)
        return {
            "random": Tensor(Kind.RNG, np.array(random.getstate()[1], np.uint64)),
            "numpy.random": Tensor(
                Kind.RNG,
                np.append(np.asarray(numpy_state[1], np.uint64), np.uint64(numpy_state[2])),
            ),
        }

    def _snapshot(self, point: str) -> str:
        """Record the state at a point of the run; return its digest."""
        state = with_kinds(as_tensors(self._state()), self._kinds)
        self._recorder.snapshot(point, state)
        return snapshot_digest(state)

    def _at_exit(self) -> None:
        if self._facts.process == os.getpid():  # not in a forked process
            self._close(getattr(sys, "last_value", None))

    def _close(self, error: BaseException | None) -> None:
        """End the recording once, with the exception that ended the script, if there is one."""
        if not self._is_open:
            return
        self._is_open = False
        atexit.unregister(self._at_exit)
        if error is None:
            self._end(None)
            return
        places = traceback.extract_tb(error.__traceback__)
        place = f"{Path(places[-1].filename).name}:{places[-1].lineno}" if places else None
        self._end(Failure("run", type(error).__name__, str(error), None, place))

    def _end(self, failure: Failure | None) -> None:
        if failure is None:
            self._snapshot(FINAL)
            steps = max(self._next, 2)
            inside = tuple(boundary for boundary in self._boundaries if boundary < steps)
            self._facts.schedule = Schedule(steps, min(inside, default=1), steps, inside)
            self._facts.finished = True
        self._facts.failure = failure
        self._facts.environment = environment.fingerprint()
        self._recorder.close()


def _single(number: Any) -> Any:
    """Return a number, also where a framework holds it."""
    return frameworks.arrays_of([number])[0]


def _style_of(state: State) -> str:
    """Return what is known of the framework of a script; the style decides what a report advises.

    A function that reads the state of a framework has an attribute `framework`.
    """
    return getattr(state, "framework", "") if callable(state) else frameworks.style_of(state)


def record(
    folder: Path | str,
    state: State,
    *,
    name: str = "job",
    kinds: Mapping[str, Any] | None = None,
) -> Recording:
    """Record the run of a training script into a folder.

    Record the control in one process and the resumed run in a new one; then compare the folders
    with `ckptcheck.compare_runs` or `ckptcheck compare`.

    Args:
        folder: A folder that is new or empty.
        state: A function that returns the live state, as arrays or `Tensor`s by name; or a
            sequence of framework objects, such as models, optimizers, schedulers, variables and
            generators.
        name: The name of the job in the comparison.
        kinds: The kinds of tensors, by pattern of their names: `{"grad_acc*": "accumulator"}`.

    Returns:
        The recording, a context manager. Call its `step` after each step, and its `boundary` after
            each save and after the restore; or pass its `callback` to `fit`. Without `with`, it
            ends with its `close`, or when the process ends.

    Raises:
        UsageError: The folder is not empty or cannot be written, or no loaded framework can read
            the objects in `state`.

    Example:
        ```python
        with ckptcheck.record("runs/control", lambda: {"w": w}) as run:
            for step in range(100):
                loss = train(batches[step])
                run.step(loss, [batches[step]])
                if step + 1 == 50:
                    save(step + 1)
                    run.boundary(step + 1)
        ```
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(
                f"The folder {folder} is not empty. Choose a new folder for the run, or delete it."
            )
    except OSError as error:
        raise UsageError(
            f"The folder {folder} cannot be written: {error.strerror}. Choose a different one."
        ) from error
    return Recording(folder, state, name, as_kinds(kinds, "kinds"))
