"""What a job is: its protocols, and the values it exchanges with its runner. Knows no framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    # Slow to import; `ckptcheck jobs` imports this file and needs no arrays.
    import numpy as np

    from ckptcheck.kinds import Kind

# Added to the control's seed in a resumed process, so that a restore that does nothing cannot look
# like one that works. Whatever a restarted script seeds the same, it seeds with `seed % POISON`.
POISON = 1_000_003
# What the names of random generators begin with that count only where they have an effect: a
# program may draw from them for nothing.
RANDOM = "random/"


@dataclass(frozen=True)
class Tensor:
    """One live state tensor.

    Attributes:
        kind: The role of the tensor in training.
        value: A copy of its value, of any shape and any fixed-size dtype.
    """

    kind: Kind
    value: np.ndarray[Any, Any]


@dataclass(frozen=True)
class OnDevice:
    """A batch on a device. Its digest is computed there, and read when the step is written.

    Attributes:
        digest: Returns the digest of its arrays.
        examples: Returns the fingerprints of its examples, see `ckptcheck.run.digests`.
        nbytes: The memory that it keeps, in bytes.
    """

    digest: Callable[[], str]
    examples: Callable[[], str]
    nbytes: int


@dataclass(frozen=True)
class Step:
    """What one training step did. `None` means unknown.

    Attributes:
        loss: The training loss of the step, before its update.
        batch: The arrays that the step consumed, in a fixed order or by name. Only their digest and
            a fingerprint of each example are recorded.
        learning_rate: The learning rate that the update used.
        hyperparameters: Further numbers that the update used, by name.
        draws: The random numbers that the step drew, such as dropout masks or noise, where the
            state of their generator cannot be read. Only their digest is recorded.

    Example:
        ```python
        return Step(loss=0.31, batch=[images, labels], learning_rate=1e-3)
        ```
    """

    loss: float
    batch: Sequence[np.ndarray[Any, Any]] | Mapping[str, np.ndarray[Any, Any]] | None = None
    learning_rate: float | None = None
    hyperparameters: Mapping[str, float] | None = None
    draws: Sequence[np.ndarray[Any, Any]] | Mapping[str, np.ndarray[Any, Any]] | None = None


@dataclass(frozen=True)
class Score:
    """How well a network classifies some images.

    Attributes:
        loss: The mean loss.
        accuracy: The fraction of images classified correctly, from 0 to 1.
    """

    loss: float
    accuracy: float


@dataclass(frozen=True)
class Restored:
    """What a restore read. An adapter leaves at `None` what it cannot know.

    Attributes:
        asked: The checkpoint key of each live tensor that the restore filled, by tensor name. A
            function that returns this mapping is called at the end of the run; use one where some
            tensors are filled only when they are created.
        held: All keys in the checkpoint.
        values: The digest (`ckptcheck.run.digests.digest`) of every array in the checkpoint. They
            show whether a lost value was saved where keys cannot be followed.
    """

    asked: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None
    held: Sequence[str] | None = None
    values: Sequence[str] | None = None


class Lasting(list["np.ndarray[Any, Any]"]):
    """The arrays of a batch that nothing writes to any more: they are recorded without a copy."""


class RestoreRefusedError(Exception):
    """A restore raised, and the adapter knows which keys it asked for.

    Args:
        error: The exception of the framework.
        asked: The checkpoint key of each live tensor, by tensor name.
        held: All keys in the checkpoint.
    """

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
    """What a `LoopingJob` reports its steps to.

    Attributes:
        folder: The folder of checkpoints. A resumed run is restored from it: it holds a copy of
            the crash image.
        restore: The name of the restore that a resumed run uses; `None` in a control.
        saves: False in a control that must write no checkpoint, not even from a callback. That
            control shows whether saving changes the run.
    """

    folder: Path
    restore: str | None
    saves: bool

    def before_step(self) -> None:
        """Report that a training step comes next. Saves here if a save is due and missing."""

    def after_step(self, step: Step) -> None:
        """Report what the step did. After the last step it raises, which ends the loop."""

    def may_save(self) -> None:
        """Report a point where the job saves, such as an epoch end. Calls `save` if one is due."""


class _Trained(Protocol):
    """What every job has, whoever runs its training loop."""

    @property
    def restores(self) -> Sequence[str]:
        """Names of the restores, the usual one first: letters, digits, dots and dashes."""

    @property
    def steps_per_epoch(self) -> int:
        """Number of training steps in an epoch, at least 1."""

    def build(self, seed: int) -> None:
        """Build the network and initialise every variable from `seed`.

        The order of the data must not depend on `seed`: a resumed process gets a different one.
        """

    def next_step(self) -> int:
        """Return the index, from 0, of the step that the live state would execute next."""

    def evaluate(self) -> float:
        """Return the validation loss of the live state, without changing any state.

        ckptcheck undoes what the evaluation at a boundary does to Python's and NumPy's global
        generators. If the evaluation changes numeric public attributes differently from the
        control's, ckptcheck repeats the restore without that evaluation. Any other change outside
        `state`, such as to a cached array, could hide a loss.
        """

    def state(self) -> Mapping[str, Tensor]:
        """Return a copy of every live state tensor by name.

        A plain array counts as a `Tensor` of kind `Kind.OTHER`.
        """

    def save(self, folder: Path, step: int) -> None:
        """Write a checkpoint of the state after `step` steps into `folder`.

        Paths inside the checkpoint must be relative to `folder`: ckptcheck restores from a copy.
        """

    def restore(self, folder: Path, restore: str) -> Restored | None:
        """Fill the live state from the newest checkpoint in `folder`.

        Args:
            folder: The copy of the crash image.
            restore: One of the names in `restores`.

        Returns:
            The keys that the restore read, or `None` where they are unknown.

        Raises:
            RestoreRefusedError: The framework raised, and the requested keys are known. Any other
                exception counts as a refusal, too.
        """


class Job(_Trained, Protocol):
    """A training run that can be built, stepped, evaluated, saved and restored.

    One object lives in one process; `build` is called once, before anything else. A job may also
    have:

    - `boundary_epochs`: the number of epochs after which the job is saved by default (2.5).
    - `count_steps()`: returns `steps_per_epoch` for a job without that attribute. It is called on
      a job that no other method was called on, in a process of its own.
    - `kinds`: the kinds of tensors by pattern of their names, where names do not show them:
      `{"grad_acc*": "accumulator"}`. See `ckptcheck.Kind`.
    - `defers`: true where the first step after a restore creates, and restores, some variables.
    - `remembers()`: returns objects by name, such as callbacks, whose numeric public attributes
      may explain a difference.
    - `decisive()`: returns the attributes that by themselves change the training, as
      `{"tensor name": "object.attribute"}`. They are compared like tensors.

    Example:
        ```python
        class Train:
            restores = ("all",)
            steps_per_epoch = 10

            def build(self, seed): ...
            def next_step(self): return self.step
            def train(self, step): return Step(loss, [inputs, labels], learning_rate)
            def evaluate(self): return validation_loss
            def state(self): return {"w": Tensor(Kind.WEIGHT, self.w.copy())}
            def save(self, folder, step): np.savez(folder / "state.npz", w=self.w, step=step)
            def restore(self, folder, restore): ...
        ```
    """

    def train(self, step: int) -> Step:
        """Execute training step number `step`, from 0."""


class LoopingJob(_Trained, Protocol):
    """A job that runs its training loop itself, as `keras.Model.fit` does."""

    def run(self, loop: Loop) -> None:
        """Train from the live state on.

        Call `loop.before_step` before and `loop.after_step` after each step.
        """
