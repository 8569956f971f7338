"""What the clean jobs vary: a small model trained by `fit`, and a loop with a checkpoint."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ckptcheck import Step
from ckptcheck.adapters.keras import FitJob
from ckptcheck.adapters.tf2 import CheckpointJob

K = keras.layers
BATCH, STEPS = 8, 4
X = np.random.default_rng(0).normal(size=(BATCH * STEPS, 6)).astype("float32")
Y = X[:, :1] * X[:, 1:2] + X[:, 2:3]


# Every restore of `FitJob` that keeps all there is. Most jobs try two: a new model, and a live one.
WHOLE = ("keras", "checkpoint", "backup", "model-checkpoint")


class Uncounted(FitJob):
    """A sequential model on arrays; every restore brings back all there is.

    Does not say how many batches an epoch has.
    """

    restores: Sequence[str] = ("keras", "checkpoint")
    optimizer: Any = "adam"
    compiled: Mapping[str, Any] = {}

    def make_optimizer(self) -> Any:
        return self.optimizer

    def layers(self) -> list[Any]:
        return [K.Dense(3, "tanh"), K.Dense(1)]

    def network(self) -> Any:
        return keras.Sequential([keras.Input(self.inputs().shape[1:]), *self.layers()])

    def inputs(self) -> Any:
        return X

    def model(self) -> Any:
        model = self.network()
        model.compile(self.make_optimizer(), **{"loss": "mse", **self.compiled})
        return model

    def dataset(self) -> Any:
        return tf.data.Dataset.from_tensor_slices((self.inputs(), Y))

    def data(self) -> Any:
        return self.dataset().batch(BATCH)

    def arguments(self) -> Mapping[str, Any]:
        return {}

    def callbacks(self) -> list[Any]:
        return []

    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        model.fit(
            self.data(),
            epochs=4,
            callbacks=[*self.callbacks(), *callbacks],
            initial_epoch=initial_epoch,
            **{"validation_data": self.dataset().batch(BATCH), **self.arguments()},
        )


class Fit(Uncounted):
    steps_per_epoch = STEPS


class Random(Fit):
    """A model that draws random numbers, saved with its generators as the documentation does."""

    restores: Sequence[str] = ("with-seeds",)

    def checkpoint(self) -> Any:
        seeds = [each.value for each in self.live.variables if "seed_generator" in each.path]
        return tf.train.Checkpoint(model=self.live, optimizer=self.live.optimizer, seeds=seeds)

    def save(self, folder: Path, step: int) -> None:
        self.checkpoint().write(f"{folder}/{step // self.steps_per_epoch}")

    def restore(self, folder: Path, restore: str) -> None:
        self.initial_epoch = max(int(path.stem) for path in folder.glob("*.index"))
        self.checkpoint().read(f"{folder}/{self.initial_epoch}")


class Loop(CheckpointJob):
    """A custom training loop; the checkpoint holds everything."""

    steps_per_epoch = STEPS

    def setup(self) -> Any:
        self.net = self.network()
        self.optimizer = self.make_optimizer()
        return tf.train.Checkpoint(net=self.net, optimizer=self.optimizer, **self.more())

    def network(self) -> Any:
        return keras.Sequential([keras.Input((6,)), K.Dense(3, "tanh"), K.Dense(1)])

    def make_optimizer(self) -> Any:
        optimizer = keras.optimizers.Adam(0.01)
        optimizer.build(self.net.trainable_variables)
        return optimizer

    def more(self) -> dict[str, Any]:
        return {}

    def batch(self, step: int) -> tuple[Any, Any]:
        start = step % STEPS * BATCH
        return X[start : start + BATCH], Y[start : start + BATCH]

    def update(self, x: Any, y: Any) -> Any:
        variables = self.net.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.net(x, training=True) - y) ** 2)
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    def train(self, step: int) -> Step:
        x, y = self.batch(step)
        return Step(self.update(x, y), batch=[x, y])

    def evaluate(self) -> Any:
        return tf.reduce_mean((self.net(X, training=False) - Y) ** 2)
