"""`CheckpointJob`: custom TensorFlow 2 training loops saved with `tf.train.Checkpoint`."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from ckptcheck.adapters.tensorflow import _internals, keras_2
from ckptcheck.adapters.tensorflow.batches import arrays_of
from ckptcheck.adapters.tensorflow.contents import contents
from ckptcheck.adapters.tensorflow.created import Created
from ckptcheck.adapters.tensorflow.tables import contents_of_tables
from ckptcheck.adapters.tensorflow.variables import SEED, inner, names_of, poison, state_of
from ckptcheck.job.protocol import Restored, Step, Tensor

# The types whose instances hold variables, when they are attributes of a job.
_OF_KERAS = (
    keras.Layer,
    keras.optimizers.Optimizer,
    keras.metrics.Metric,
    keras.random.SeedGenerator,
)
_HOLDERS = (*_OF_KERAS, tf.random.Generator, tf.Variable, tf.Module)


class CheckpointJob(ABC):
    """A job with a custom training loop, saved with a `tf.train.Checkpoint`.

    A subclass creates its objects in `setup`, keeps them as attributes, and returns the
    checkpoint. The live state is every variable created since `setup` began, whether or not the
    checkpoint tracks it. To save or restore in a different way, override `save` and `restore`.

    Attributes:
        steps_per_epoch: number of training steps in an epoch.
        restores: names of the ways to restore a checkpoint; default: `checkpoint`.

    Example:
        ```python
        class Loop(CheckpointJob):
            steps_per_epoch = 10

            def setup(self):
                self.batches = iter(make_dataset().shuffle(320, seed=1).batch(32).repeat())
                self.model = make_model()
                self.optimizer = keras.optimizers.Adam(1e-2)
                return tf.train.Checkpoint(
                    model=self.model, optimizer=self.optimizer, batches=self.batches
                )

            def train(self, step):
                x, y = next(self.batches)
                loss = train_step(self.model, self.optimizer, x, y)
                return Step(loss, batch=[x, y])

            def evaluate(self):
                return validation_loss(self.model)
        ```
    """

    framework = "tf2"
    restores: Sequence[str] = ("checkpoint",)
    steps_per_epoch: int
    # Variables created in the first step are restored there.
    defers = True

    @abstractmethod
    def setup(self) -> Any:
        """Create the model, the optimizer, the data iterator and whatever else training needs.

        Returns:
            The `tf.train.Checkpoint` that saves them.
        """

    @abstractmethod
    def train(self, step: int) -> Step:
        """Execute training step `step`, counted from 0.

        Returns:
            A `Step` with the training loss. Give it the arrays of the batch too: without them,
            batches are not compared.
        """

    @abstractmethod
    def evaluate(self) -> float:
        """Return the validation loss of the live state, without changing that state."""

    def build(self, seed: int) -> None:
        """Set all seeds and create the objects.

        Args:
            seed: 0 in a control. Any other seed also perturbs the trainable variables, so that
                a restore that does nothing cannot pass.

        Raises:
            TypeError: `setup` returned something other than a `tf.train.Checkpoint`.
        """
        keras_2.set_random_seed(SEED)
        self._created = Created()
        with self._created.watching():
            self.checkpoint = self.setup()
        if not isinstance(self.checkpoint, tf.train.Checkpoint):
            returned = type(self.checkpoint).__name__
            raise TypeError(f"setup must return a tf.train.Checkpoint, but it returned {returned}")
        if seed != SEED:
            poison(self._created.variables(), seed)
        # The first step is watched, because it may create variables.
        self._train, self.train = self.train, self._shown_train  # type: ignore[method-assign]
        self._watching: Any = self._created.watching()

    def next_step(self) -> int:
        """Return the index of the next training step, counted from 0.

        That is the value of the attribute `step`, or else the iterations of the optimizer; of
        several optimizers, the most iterations.

        Raises:
            TypeError: the job has no attribute `step`, and no optimizer.
        """
        if hasattr(self, "step"):
            return int(self.step)
        optimizers = [
            item
            for item in self._attributes()
            if isinstance(item, keras.optimizers.Optimizer) or keras_2.is_optimizer(item)
        ]
        if not optimizers:
            raise TypeError(
                "the next step is unknown, because the job has no optimizer and no attribute "
                "`step`. Count the steps in `self.step`, or override next_step"
            )
        return max(int(each.iterations) for each in optimizers)

    def state(self) -> Mapping[str, Tensor]:
        """Return every variable of the job's objects, and all others created since the build.

        Of a mutable lookup table that is an attribute, a digest of the contents is returned.
        """
        variables = state_of(self._objects(), self._created.variables())
        return variables | contents_of_tables(vars(self))

    def _objects(self) -> list[Any]:
        """Return the attributes that hold variables, and the optimizers that the job built."""
        return [*self._attributes(), *self._created.optimizers()]

    def _attributes(self) -> list[Any]:
        """Return the attributes that hold variables, also those in lists and dictionaries."""
        attributes = (
            tf.nest.flatten(value) if isinstance(value, list | tuple | dict) else [value]
            for value in vars(self).values()
        )
        return [
            item
            for items in attributes
            for item in items
            if isinstance(item, _HOLDERS) or keras_2.is_of_keras_2(item)
        ]

    def save(self, folder: Path, step: int) -> None:
        """Save into `folder` with a `tf.train.CheckpointManager`, numbered by `step`."""
        tf.train.CheckpointManager(self.checkpoint, str(folder), max_to_keep=None).save(
            checkpoint_number=step
        )

    def restore(self, folder: Path, restore: str) -> Restored | None:
        """Restore the newest checkpoint in `folder`.

        Raises:
            FileNotFoundError: `folder` holds no checkpoint.
        """
        with self._created.watching():
            held, keys, values = restore_checkpoint(
                self.checkpoint, tf.train.latest_checkpoint(str(folder))
            )
        return Restored(
            lambda: keys(names_of(self._objects(), self._created.variables())), held, values
        )

    def _shown_train(self, step: int) -> Step:
        with self._watching:
            result = self._train(step)
        self._watching = contextlib.nullcontext()
        if not isinstance(result, Step) or result.batch is None:
            return result
        return replace(result, batch=arrays_of(result.batch))


# Takes the variables' names by `id` (see `names_of`); returns the checkpoint key of each name.
Keys = Callable[[Mapping[int, Sequence[str]]], dict[str, str]]


def restore_checkpoint(checkpoint: Any, prefix: str | None) -> tuple[list[str], Keys, list[str]]:
    """Restore a `tf.train.Checkpoint`, and report what it holds.

    Args:
        checkpoint: the `tf.train.Checkpoint` whose objects are filled.
        prefix: path prefix of the saved checkpoint, as `tf.train.latest_checkpoint` returns it.

    Returns:
        The keys in the checkpoint; a function that maps variables to the keys they are filled
        from; the digests of the saved arrays.

    Raises:
        FileNotFoundError: `prefix` is None. TensorFlow itself would silently restore nothing.
    """
    if prefix is None:
        raise FileNotFoundError(
            "the folder holds no checkpoint: its state file `checkpoint` is missing, "
            "or names files that do not exist"
        )
    checkpoint.restore(prefix)
    reader = tf.train.load_checkpoint(prefix)
    graph = _internals.object_graph(reader)

    def keys(names: Mapping[int, Sequence[str]]) -> dict[str, str]:
        matched = tf.train.CheckpointView(prefix).match(checkpoint)
        nodes = {
            id(inner(item)): node
            for node, item in matched.items()
            if isinstance(item, tf.Variable | keras.Variable)
        }
        return {
            name: attribute.checkpoint_key
            for identity, node in nodes.items()
            for name in names.get(identity, ())
            for attribute in graph.nodes[node].attributes[:1]
        }

    held, values = contents(reader)
    return held, keys, values
