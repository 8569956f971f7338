"""What a job is: its protocols, and the values it exchanges with whoever runs it. No framework is known here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    # Slow to import; `ckptcheck jobs` imports this file and needs no arrays.
    import numpy as np

    from ckptcheck.kinds import Kind

# A resumed process starts from other initial values: a restore that does nothing cannot look like one that works. Its seed is
# the control's and this. What else a script seeds, it seeds the same when it is started again: `seed % POISON` is that seed.
POISON = 1_000_003


@dataclass(frozen=True)
class Tensor:
    """One live state tensor: its kind and a copy of its value (any shape, any fixed-size dtype)."""

    kind: Kind
    value: np.ndarray[Any, Any]


@dataclass(frozen=True)
class Step:
    """What one training step did.

    `loss` is the training loss of the step, before its update; `batch` holds the arrays that were fed, in a fixed order or by
    name (only their digest, and a fingerprint of each example, are recorded); `learning_rate` is the rate the update used;
    `hyperparameters` are further numbers it used, by name; `draws` holds the random numbers it drew, where their generator
    cannot be shown as state: masks of dropout, noise (only their digest is recorded). None: not known.
    """

    loss: float
    batch: Sequence[np.ndarray[Any, Any]] | Mapping[str, np.ndarray[Any, Any]] | None = None
    learning_rate: float | None = None
    hyperparameters: Mapping[str, float] | None = None
    draws: Sequence[np.ndarray[Any, Any]] | Mapping[str, np.ndarray[Any, Any]] | None = None


@dataclass(frozen=True)
class Score:
    """How well a network did on some images: mean loss, and the share (0 to 1) whose class it named."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class Restored:
    """What a restore touched: the checkpoint key of each live tensor it filled, by tensor name, and all keys there.

    An adapter that cannot know returns None for the part it does not know. Where some tensors are filled only when they come
    to be, `asked` is a function that is called in the end. `values` are the digests (`ckptcheck.run.digests`) of every array
    in the checkpoint: whether a lost value was saved can be known by them where keys cannot be followed.
    """

    asked: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None
    held: Sequence[str] | None = None
    values: Sequence[str] | None = None


class RestoreRefusedError(Exception):
    """A restore raised. Carries what the adapter could work out about the keys it asked for."""

    def __init__(
        self,
        error: Exception,
        *,
        asked: Mapping[str, str] | None = None,
        held: Sequence[str] | None = None,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.asked = asked
        self.held = held


class Loop(Protocol):
    """What a job with a training loop of its own tells of it, see `LoopingJob.run`.

    `folder` is where the run saves, and in a resumed run what it is restored from: a copy of what a crash leaves. `restore`
    is the restore it was resumed with, None in a control. `saves` is false in a control that is to save nothing, by no
    callback either: whether saving changes the run is seen by it.
    """

    folder: Path
    restore: str | None
    saves: bool

    def before_step(self) -> None:
        """Tell that the next thing that happens is a training step. Saves here what is due and has not been saved."""

    def after_step(self, step: Step) -> None:
        """Tell what the step did. Does not return from the last one: it raises what ends the loop."""

    def may_save(self) -> None:
        """Tell that this is a place where the job saves, such as the end of an epoch: calls its `save` if it is due."""


class _Trained(Protocol):
    """What every job has, however it is stepped."""

    @property
    def restores(self) -> Sequence[str]:
        """Names of the ways to read a checkpoint back, the usual one first: letters, digits, dots, dashes."""

    @property
    def steps_per_epoch(self) -> int:
        """Number of training steps in an epoch."""

    def build(self, seed: int) -> None:
        """Make the network and initialise every variable from `seed`. Data order must not depend on `seed`."""

    def next_step(self) -> int:
        """Return the index of the step that the live state would execute next, from 0."""

    def evaluate(self) -> float:
        """Return the validation loss of the live state, without changing that state, or a random generator's.

        Python's and NumPy's global generators are put back after the evaluation at the boundary. Where it changes public
        attributes that are numbers otherwise than in the control, the restore is tried again without it. What else it changes
        and is not in `state`, a generator of another kind or a cached array, could hide that it was lost.
        """

    def state(self) -> Mapping[str, Tensor]:
        """Return a copy of every live state tensor by name. A mere array is taken as a `Tensor` of kind `OTHER`."""

    def save(self, folder: Path, step: int) -> None:
        """Write a checkpoint of the state after `step` steps into `folder`, by paths relative to it."""

    def restore(self, folder: Path, restore: str) -> Restored | None:
        """Fill the live state from the newest checkpoint in `folder`.

        Raises:
            RestoreRefusedError: the framework raised, and the keys asked for are known. Any other exception is a refusal too.
        """


class Job(_Trained, Protocol):
    """A training run that can be built, stepped, evaluated, saved and restored.

    One object lives in one process; `build` is called once, before anything else. Some attributes may be there:
    `boundary_epochs`, the number of epochs after which the job is saved by default (2.5); `defers`, true where some
    variables come to be, and are restored, only in the first step after a restore; a method `remembers` that returns
    objects by name whose public attributes may explain a difference, such as callbacks; and a method `decisive` that returns
    those attributes that change the training by themselves, `{"tensor name": "object.attribute"}`: they are compared.
    """

    def train(self, step: int) -> Step:
        """Execute training step number `step`, from 0."""


class LoopingJob(_Trained, Protocol):
    """A job that runs its training loop itself, as `keras.Model.fit` does."""

    def run(self, loop: Loop) -> None:
        """Train from the live state on; call `loop.before_step` and `loop.after_step` around each step."""
