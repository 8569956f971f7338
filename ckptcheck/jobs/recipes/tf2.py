"""Recipes for custom training loops: each way to save is a separate `tf.train.Checkpoint`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tf2 import CheckpointJob
from ckptcheck.job.protocol import Restored, Step
from ckptcheck.jobs.datasets import load
from ckptcheck.jobs.options import RecipeOptions

BATCH, STEPS = 32, 8
ALL = ("model", "optimizer", "iterator", "step")


class Loop(CheckpointJob):
    """Model, optimizer, data iterator, step counter."""

    steps_per_epoch = STEPS

    def __init__(self, options: RecipeOptions) -> None:
        self.options = options

    @property
    def restores(self) -> Sequence[str]:  # type: ignore[override]
        """The names of the checkpoints."""
        return tuple(self.passed)

    # The attributes of this job that are passed to the checkpoint, by restore.
    passed: Mapping[str, Sequence[str]] = {
        "all": ALL,
        "without-optimizer": ("model", "iterator", "step"),
        "without-iterator": ("model", "optimizer", "step"),
        "without-step": ("model", "optimizer", "iterator"),
    }

    def layers(self) -> list[Any]:
        return [
            keras.layers.Conv2D(8, 3),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]

    def make_model(self) -> Any:
        return keras.Sequential([keras.Input((8, 8, 1)), *self.layers()])

    def setup(self) -> Any:
        """Create the objects, and a checkpoint for each restore."""
        digits = load("digits")
        pairs = (digits.train_images[: BATCH * STEPS], digits.train_labels[: BATCH * STEPS])
        self.iterator = iter(
            tf.data.Dataset.from_tensor_slices(pairs)
            .shuffle(BATCH * STEPS, seed=1)
            .batch(BATCH)
            .repeat()
        )
        self.model = self.make_model()
        self.optimizer = keras.optimizers.Adam(1e-2)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self.checkpoints = {
            restore: self.checkpoint_of(names) for restore, names in self.passed.items()
        }
        self.function = tf.function(self.update)
        return next(iter(self.checkpoints.values()))

    def checkpoint_of(self, names: Sequence[str]) -> Any:
        objects = {name: getattr(self, name) for name in names}
        return tf.train.Checkpoint(**objects)

    def update(self, x: Any, y: Any) -> Any:
        """Execute a training step; return the loss before the update."""
        with tf.GradientTape() as tape:
            outputs = self.model(x, training=True)
            loss = tf.reduce_mean(
                keras.losses.sparse_categorical_crossentropy(y, outputs, from_logits=True)
            )
        weights = self.model.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        self.step.assign_add(1)
        return loss

    def train(self, step: int) -> Step:
        x, y = next(self.iterator)
        return Step(
            float(self.function(x, y)), [x.numpy(), y.numpy()], float(self.optimizer.learning_rate)
        )

    def evaluate(self) -> float:
        """Return the loss on held-out images."""
        digits = load("digits")
        outputs = self.model(digits.validation_images[:128], training=False)
        losses = keras.losses.sparse_categorical_crossentropy(
            digits.validation_labels[:128], outputs, from_logits=True
        )
        return float(np.mean(losses))

    def save(self, folder: Path, step: int) -> None:
        """Save each checkpoint into its own folder."""
        for restore, checkpoint in self.checkpoints.items():
            tf.train.CheckpointManager(checkpoint, str(folder / restore), max_to_keep=None).save(
                checkpoint_number=step
            )

    def restore(self, folder: Path, restore: str) -> Restored | None:
        self.checkpoint = self.checkpoints[restore]
        return super().restore(folder / restore, restore)


class Attributes(keras.Model):  # type: ignore[misc]
    """A custom model with its layers in attributes."""

    def __init__(self, layers: Sequence[Any]) -> None:
        super().__init__()
        self.convolution, self.norm, self.relu, self.flatten, self.dense = layers

    def call(self, x: Any, training: bool = False) -> Any:
        return self.dense(
            self.flatten(self.relu(self.norm(self.convolution(x), training=training)))
        )


class Unbuilt(Loop):
    """A model whose variables are created in the first step: the deferred restore misses them."""

    passed: Mapping[str, Sequence[str]] = {"not-built": ALL, "built-first": ALL}

    def make_model(self) -> Any:
        return Attributes(self.layers())

    def restore(self, folder: Path, restore: str) -> Restored | None:
        """For `built-first`, build the model before the restore."""
        if restore == "built-first":
            self.model(tf.zeros((1, 8, 8, 1)))
        return super().restore(folder, restore)


class Blocks(keras.Model):  # type: ignore[misc]
    """A model that keeps its layers in a list."""

    def __init__(self, blocks: Sequence[Any]) -> None:
        super().__init__()
        self.blocks = list(blocks)

    def call(self, x: Any, training: bool = False) -> Any:
        for block in self.blocks:
            x = (
                block(x, training=training)
                if isinstance(block, keras.layers.BatchNormalization)
                else block(x)
            )
        return x


class LayersInList(Loop):
    """Keras tracks layers in a list, `tf.train.Checkpoint` does not."""

    passed: Mapping[str, Sequence[str]] = {
        "in-list": ALL,
        "passed": ("first", "second", "third", *ALL[1:]),
    }

    def make_model(self) -> Any:
        """Return the model; also keep its layers as attributes."""
        model = Blocks(self.layers())
        model(tf.zeros((1, 8, 8, 1)))
        self.first, self.second, self.third = (layer for layer in model.blocks if layer.weights)
        return model


class Ema(Loop):
    """Moving averages of the weights, for evaluation."""

    passed: Mapping[str, Sequence[str]] = {"without-ema": ALL, "with-shadows": (*ALL, "shadows")}

    def make_model(self) -> Any:
        model = super().make_model()
        self.ema = tf.train.ExponentialMovingAverage(0.9)
        values = [weight.value for weight in model.trainable_variables]
        self.ema.apply(values)
        self.shadows = [self.ema.average(value) for value in values]
        return model

    def update(self, x: Any, y: Any) -> Any:
        loss = super().update(x, y)
        self.ema.apply([weight.value for weight in self.model.trainable_variables])
        return loss


class Generator(Loop):
    """Adds noise to the images."""

    passed: Mapping[str, Sequence[str]] = {
        "without-generator": ALL,
        "with-generator": (*ALL, "generator"),
    }

    def make_model(self) -> Any:
        self.generator = tf.random.Generator.from_seed(1)
        return super().make_model()

    def update(self, x: Any, y: Any) -> Any:
        return super().update(x + self.generator.normal(tf.shape(x), stddev=0.1, dtype=x.dtype), y)


class Dropout(Loop):
    """A Keras layer that draws random numbers."""

    passed: Mapping[str, Sequence[str]] = {"without-seed": ALL, "with-seed": (*ALL, "seed")}

    def layers(self) -> list[Any]:
        self.dropout = keras.layers.Dropout(0.3)
        self.seed = self.dropout.seed_generator.state.value
        return [*super().layers()[:-1], self.dropout, super().layers()[-1]]
