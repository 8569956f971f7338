"""Three lines in a training script of one's own record what it did; `ckptcheck compare` holds two such runs together."""

import os
import random
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ckptcheck.errors import UsageError
from ckptcheck.job import frameworks
from ckptcheck.job.protocol import Step, Tensor
from ckptcheck.job.schedule import Schedule
from ckptcheck.kinds import Kind
from ckptcheck.run import environment
from ckptcheck.run.digests import snapshot_digest
from ckptcheck.run.folder import Recorder, number
from ckptcheck.run.run import RECORDED, Facts, Failure
from ckptcheck.run.snapshots import FINAL, INITIAL, after_point, as_tensors, boundary_point

# What gives the live state: a function that returns arrays, or tensors with their kind, by name; or objects of a framework.
State = Callable[[], Mapping[str, Any]] | Sequence[Any]


class Recording:
    """What a script tells of its run. Made by `record`."""

    def __init__(self, folder: Path, state: State, name: str) -> None:
        self._state = state if callable(state) else partial(frameworks.state_of(), state)
        self._facts = Facts(
            RECORDED, name, None, 0, Schedule(2, 1, 1)
        )  # the schedule is known when the run has ended
        self._facts.hash_seed = os.environ.get("PYTHONHASHSEED", "random")
        self._facts.process, self._facts.started = os.getpid(), time.time()
        self._recorder = Recorder(folder, self._facts)
        self._boundaries: list[int] = []
        self._next = 0
        self._initial = self._snapshot(INITIAL)

    def boundary(self, step: int) -> None:
        """Record the live state: after a checkpoint of `step` steps was saved, or, in a resumed run, restored.

        Call it before the next step. A run that was restored calls it before its first one.
        """
        if self._facts.first_step is None and step:
            self._next = self._facts.first_step = step
            # What was taken as the initial state may already be the restored one: then nothing is known of it.
            if self._snapshot(boundary_point(step)) == self._initial:
                self._recorder.snapshot(INITIAL, {})
        elif step != self._next:
            raise UsageError(
                f"The boundary is said to be after {step} steps, but {self._next} steps have been recorded."
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
        """Record a training step: its loss before the update, the arrays of its batch, the rate its update used."""
        if self._facts.first_step is None:
            self._facts.first_step = self._next
        self._recorder.step(self._next, Step(loss, batch, learning_rate))
        if self._next in self._boundaries:
            self._snapshot(
                after_point(self._next)
            )  # some variables are made, and restored, only in this step
        self._next += 1

    def evaluation(self, loss: Any) -> None:
        """Record an evaluation loss of the state as it is. Worth doing right after a restore: it shows what training hides."""
        self._facts.evaluations.append((self._next, number(loss, "evaluation loss")))

    @property
    def generators(self) -> dict[str, Tensor]:
        """The states of Python's and NumPy's global generators, for a run that draws from them and saves them."""
        numpy_state: Any = np.random.get_state(legacy=True)
        return {
            "random": Tensor(Kind.RNG, np.array(random.getstate()[1], np.uint64)),
            "numpy.random": Tensor(
                Kind.RNG,
                np.append(np.asarray(numpy_state[1], np.uint64), np.uint64(numpy_state[2])),
            ),
        }

    def _snapshot(self, point: str) -> str:
        """Record the state at a point; return its digest."""
        state = as_tensors(self._state())
        self._recorder.snapshot(point, state)
        return snapshot_digest(state)

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


@contextmanager
def record(folder: Path | str, state: State, *, name: str = "job") -> Iterator[Recording]:
    """Record a run of a script of one's own into a folder.

    Args:
        folder: where to; a folder that does not exist yet, or is empty.
        state: the live state. Either a function that returns arrays, or `Tensor`s with their kind, by name, or TensorFlow
            objects that have variables: models, optimizers, variables, generators.
        name: what the job is called in the comparison.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(
                f"The folder {folder} is not empty: a run needs one of its own. Remove it, or name another one."
            )
    except OSError as error:
        raise UsageError(f"The folder {folder} cannot be written: {error.strerror}.") from error
    recording = Recording(folder, state, name)
    try:
        yield recording
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{Path(place.filename).name}:{place.lineno}"
        recording._end(Failure("run", type(error).__name__, str(error), None, text))
        raise
    recording._end(None)
