"""Jobs of TensorFlow that are resumed twice, and what a resumed run of them may save less."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from keras_jobs import Small

from ckptcheck.adapters.tf2 import CheckpointJob
from ckptcheck.job import Restored, Step


class Loop(CheckpointJob):
    """Adds noise of a saved generator to its inputs."""

    steps_per_epoch = 5

    def setup(self) -> tf.train.Checkpoint:
        self.weights = tf.Variable(tf.ones((4, 1)), name="weights")
        self.average = tf.Variable(tf.ones((4, 1)), trainable=False, name="average")
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self.generator = tf.random.Generator.from_seed(1)
        return tf.train.Checkpoint(**self.saved())

    def saved(self) -> dict[str, tf.Variable]:
        return {
            "weights": self.weights,
            "average": self.average,
            "step": self.step,
            "generator": self.generator,
        }

    def train(self, step: int) -> Step:
        x = np.random.default_rng(step).normal(size=(8, 4)).astype("float32")
        with tf.GradientTape() as tape:
            error = tf.matmul(x + self.generator.normal((8, 4)), self.weights) - x[:, :1]
            loss = tf.reduce_mean(error**2)
        self.weights.assign_sub(0.1 * tape.gradient(loss, self.weights))
        self.average.assign(0.9 * self.average + 0.1 * self.weights)
        self.step.assign_add(1)
        return Step(loss, batch=[x])

    def evaluate(self) -> float:
        return float(tf.reduce_sum(self.average**2))


class LoopWithoutGenerator(Loop):
    """The restore makes a new checkpoint to save with, and forgets the generator."""

    def restore(self, folder: Path, restore: str) -> Restored | None:
        restored = super().restore(folder, restore)
        saved = {name: each for name, each in self.saved().items() if name != "generator"}
        self.checkpoint = tf.train.Checkpoint(**saved)
        return restored


class Fit(Small):
    restores: Sequence[str] = ("keras", "checkpoint", "backup")


class FitOfWeights(Small):
    """A resumed run saves its weights alone, into the file that held the whole model."""

    restores: Sequence[str] = ("mine",)

    def save(self, folder: Path, step: int) -> None:
        saved: dict[str, Any] = {"epoch": np.array(step // self.steps_per_epoch)}
        saved |= {f"w{n}": each.numpy() for n, each in enumerate(self.live.weights)}
        if not getattr(self, "resumed", False):
            slots = self.live.optimizer.variables
            saved |= {f"o{n}": each.numpy() for n, each in enumerate(slots)}
        np.savez(folder / "state.npz", **saved)

    def restore(self, folder: Path, restore: str) -> None:
        self.resumed = True
        self.live.optimizer.build(self.live.trainable_variables)
        with np.load(folder / "state.npz") as saved:
            for n, each in enumerate(self.live.weights):
                each.assign(saved[f"w{n}"])
            for n, each in enumerate(self.live.optimizer.variables):
                if f"o{n}" in saved.files:
                    each.assign(saved[f"o{n}"])
            self.initial_epoch = int(saved["epoch"])
