"""Jobs that the trials vary: a Keras model trained by `fit`, and a loop with a checkpoint."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ckptcheck import Step
from ckptcheck.adapters.keras import FitJob
from ckptcheck.adapters.tf2 import CheckpointJob

K = keras.layers
X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = X[:, :1] ** 2


class F(FitJob):
    restores = ("keras",)
    steps_per_epoch = 8
    opt: Any = "adam"

    def model(self) -> Any:
        model = keras.Sequential([keras.Input((4,)), *self.make()])
        model.compile(self.opt, "mse")
        return model

    def make(self) -> list[Any]:
        return [K.Dense(3, "tanh"), K.Dense(1)]

    def data(self) -> Any:
        return tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)

    def mine(self, callbacks: Any) -> Any:
        return callbacks

    def fit(self, model: Any, callbacks: Any, initial_epoch: int) -> None:
        model.fit(
            self.data(),
            epochs=5,
            callbacks=self.mine(callbacks),
            initial_epoch=initial_epoch,
            validation_data=self.data(),
        )


class C(CheckpointJob):
    steps_per_epoch = 8

    def setup(self) -> Any:
        self.net = keras.Sequential([keras.Input((4,)), K.Dense(3, "tanh"), K.Dense(1)])
        self.opt = keras.optimizers.SGD(0.05)
        self.opt.build(self.net.trainable_variables)
        return tf.train.Checkpoint(net=self.net, opt=self.opt, **self.more())

    def more(self) -> dict[str, Any]:
        return {}

    def batch(self, step: int) -> tuple[Any, Any]:
        return X[step % 8 * 8 :][:8], Y[step % 8 * 8 :][:8]

    def train(self, step: int) -> Step:
        x, y = self.batch(step)
        variables = self.net.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.net(x) - y) ** 2)
        self.opt.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return Step(loss, batch=[x, y])

    def evaluate(self) -> Any:
        return tf.reduce_mean((self.net(X) - Y) ** 2)
