"""TensorFlow 2 training loops of one's own, saved by `tf.train.Checkpoint`."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from ckptcheck.adapters.tensorflow import _internals
from ckptcheck.adapters.tensorflow.contents import contents
from ckptcheck.adapters.tensorflow.created import Created
from ckptcheck.adapters.tensorflow.variables import SEED, inner, names_of, poison, state_of
from ckptcheck.job.protocol import Restored, Step, Tensor

# What has variables, among the attributes of a job.
_OF_KERAS = (
    keras.Layer,
    keras.optimizers.Optimizer,
    keras.metrics.Metric,
    keras.random.SeedGenerator,
)
_HOLDERS = (*_OF_KERAS, tf.random.Generator, tf.Variable, tf.Module)


class CheckpointJob(ABC):
    """A job that trains in a loop of its own and is saved by a `tf.train.Checkpoint`.

    A subclass makes its objects in `setup`, keeps them as attributes, and returns the checkpoint. The live state is every
    variable that was created since, whether or not the checkpoint tracks it. For another way to save or restore override
    `save` and `restore`.
    """

    framework = "tf2"
    restores: Sequence[str] = ("checkpoint",)
    steps_per_epoch: int
    # Variables that are made in the first step are restored there.
    defers = True

    @abstractmethod
    def setup(self) -> Any:
        """Make model, optimizer, data iterator and whatever else training needs; return a `tf.train.Checkpoint`."""

    @abstractmethod
    def train(self, step: int) -> Step:
        """Execute training step `step`; return its loss, and the arrays of its batch, so that its data are compared."""

    @abstractmethod
    def evaluate(self) -> float:
        """Return the validation loss of the live state, without changing that state."""

    def build(self, seed: int) -> None:
        """Set all seeds, and make the objects."""
        keras.utils.set_random_seed(SEED)
        self._created = Created()
        self._has_stepped = False
        with self._created.watching():
            self.checkpoint = self.setup()
        if not isinstance(self.checkpoint, tf.train.Checkpoint):
            raise TypeError(
                f"setup returned {type(self.checkpoint).__name__}; it must return the tf.train.Checkpoint"
            )
        if seed != SEED:
            poison(self._created.variables(), seed)
        # Every step is watched until one has been made: variables may be created in it.
        self._train, self.train = self.train, self._first_train  # type: ignore[method-assign]

    def next_step(self) -> int:
        """Return the value of the attribute `step`, or the number of steps that the optimizer has made."""
        if hasattr(self, "step"):
            return int(self.step)
        optimizers = [
            thing for thing in self._objects() if isinstance(thing, keras.optimizers.Optimizer)
        ]
        if len(optimizers) != 1:
            raise TypeError(
                "which step comes next? Keep a counter in the attribute `step`, or override next_step"
            )
        return int(optimizers[0].iterations)

    def state(self) -> Mapping[str, Tensor]:
        """Return every variable of the job's objects, and all others created since the build."""
        return state_of(self._objects(), self._created.variables())

    def _objects(self) -> list[Any]:
        """Return what has variables among the attributes, in lists and dictionaries too."""
        things = (
            tf.nest.flatten(value) if isinstance(value, list | tuple | dict) else [value]
            for value in vars(self).values()
        )
        return [thing for several in things for thing in several if isinstance(thing, _HOLDERS)]

    def save(self, folder: Path, step: int) -> None:
        """Save with a `tf.train.CheckpointManager`."""
        tf.train.CheckpointManager(self.checkpoint, str(folder), max_to_keep=None).save(
            checkpoint_number=step
        )

    def restore(self, folder: Path, restore: str) -> Restored | None:
        """Restore the newest checkpoint."""
        with self._created.watching():
            held, keys, values = restore_checkpoint(
                self.checkpoint, tf.train.latest_checkpoint(str(folder))
            )
        return Restored(
            lambda: keys(names_of(self._objects(), self._created.variables())), held, values
        )

    def _first_train(self, step: int) -> Step:
        with self._created.watching():
            done = self._train(step)
        self.train = self._train  # type: ignore[method-assign]
        return done


# From names of variables by identity, see `names_of`, to the checkpoint key that each was, or will be, filled from.
Keys = Callable[[Mapping[int, Sequence[str]]], dict[str, str]]


def restore_checkpoint(checkpoint: Any, prefix: str | None) -> tuple[list[str], Keys, list[str]]:
    """Restore a `tf.train.Checkpoint`; return the keys it holds, what tells which variable had which, and its values' digests.

    Raises:
        FileNotFoundError: there is no checkpoint: TensorFlow itself would restore nothing, and say nothing.
    """
    if prefix is None:
        raise FileNotFoundError("the folder holds no checkpoint that its state file leads to")
    checkpoint.restore(prefix)
    reader = tf.train.load_checkpoint(prefix)
    graph = _internals.object_graph(reader)

    def keys(names: Mapping[int, Sequence[str]]) -> dict[str, str]:
        matched = tf.train.CheckpointView(prefix).match(checkpoint)
        nodes = {
            id(inner(thing)): node
            for node, thing in matched.items()
            if isinstance(thing, tf.Variable | keras.Variable)
        }
        return {
            name: attribute.checkpoint_key
            for identity, node in nodes.items()
            for name in names.get(identity, ())
            for attribute in graph.nodes[node].attributes[:1]
        }

    held, values = contents(reader)
    return held, keys, values
