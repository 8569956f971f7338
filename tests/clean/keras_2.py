"""Keras 2, the package `tf_keras`: its layers, its optimizers, and the ways it saves."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras  # type: ignore[import-untyped]

from ckptcheck.adapters.tf2 import CheckpointJob
from ckptcheck.job import Step
from tests.clean.base import BATCH, Fit, X, Y

K = tf_keras.layers
O = tf_keras.optimizers  # noqa: E741  # short, as in `K.Dense`


class _Fit(Fit):
    restores: Sequence[str] = ("keras", "h5", "checkpoint")

    def layers(self) -> list[Any]:
        return [K.Dense(3, "tanh"), K.Dense(1)]

    def network(self) -> Any:
        return tf_keras.Sequential([tf_keras.Input((6,)), *self.layers()])


class _Legacy(_Fit):
    """A legacy optimizer is in no `.keras` file."""

    restores: Sequence[str] = ("h5", "checkpoint")


# --- Models and layers ---


class Sequential(_Fit):
    restores = ("keras", "h5", "checkpoint", "backup", "model-checkpoint")


class Functional(_Fit):
    def network(self) -> Any:
        inputs = tf_keras.Input((6,))
        hidden = K.Dense(4, "relu")(inputs)
        joined = K.Concatenate()([hidden, K.Dense(2)(inputs)])
        return tf_keras.Model(inputs, K.Dense(1)(joined))


class BatchNorm(_Fit):
    def layers(self) -> list[Any]:
        return [K.Dense(4), K.BatchNormalization(momentum=0.8), K.ReLU(), K.Dense(1)]


class Nested(_Fit):
    def layers(self) -> list[Any]:
        inner = tf_keras.Sequential([tf_keras.Input((6,)), K.Dense(4), K.LayerNormalization()])
        return [inner, K.Dense(1)]


class Lstm(_Fit):
    def layers(self) -> list[Any]:
        return [K.Reshape((3, 2)), K.LSTM(3), K.Dense(1)]


class BidirectionalGru(_Fit):
    compiled = {"metrics": ["mae"]}

    def layers(self) -> list[Any]:
        return [K.Reshape((3, 2)), K.Bidirectional(K.GRU(2)), K.Dense(1)]


class Convolutions(_Fit):
    def layers(self) -> list[Any]:
        return [K.Reshape((6, 1)), K.Conv1D(2, 3), K.Flatten(), K.Dense(1)]


class Attention(_Fit):
    restores = ("h5", "checkpoint", "backup")

    def network(self) -> Any:
        inputs = tf_keras.Input((6,))
        rows = K.Reshape((3, 2))(inputs)
        return tf_keras.Model(
            inputs, K.Dense(1)(K.Flatten()(K.MultiHeadAttention(2, 2)(rows, rows)))
        )


class Subclassed(_Fit):
    restores = ("checkpoint", "backup")

    def network(self) -> Any:
        class Net(tf_keras.Model):
            def __init__(self) -> None:
                super().__init__()
                self.parts = [K.Dense(3), K.Dense(1)]

            def call(self, x: Any) -> Any:
                return self.parts[1](self.parts[0](x))

        net = Net()
        net.build((None, 6))
        return net


# --- Optimizers ---


class Momentum(_Fit):
    def make_optimizer(self) -> Any:
        return O.SGD(0.05, momentum=0.9, nesterov=True)


class RMSprop(_Fit):
    def make_optimizer(self) -> Any:
        return O.RMSprop(O.schedules.ExponentialDecay(0.01, 3, 0.5), centered=True, momentum=0.5)


class Adagrad(_Fit):
    def make_optimizer(self) -> Any:
        return O.Adagrad(0.1)


class Adadelta(_Fit):
    def make_optimizer(self) -> Any:
        return O.Adadelta(1.0)


class Adamax(_Fit):
    def make_optimizer(self) -> Any:
        return O.Adamax(0.01)


class AdamW(_Fit):
    def make_optimizer(self) -> Any:
        return O.AdamW(0.01, weight_decay=0.01, clipnorm=1.0)


class Nadam(_Fit):
    """No file of Keras 2 holds the product that Nadam keeps."""

    restores = ("checkpoint", "backup")

    def make_optimizer(self) -> Any:
        return O.Nadam(0.01)


class Ftrl(_Fit):
    def make_optimizer(self) -> Any:
        return O.Ftrl(0.1, l1_regularization_strength=0.01)


class Adafactor(_Fit):
    def make_optimizer(self) -> Any:
        return O.Adafactor(0.01)


class Lion(_Fit):
    def make_optimizer(self) -> Any:
        return O.Lion(0.01)


class LegacyAdam(_Legacy):
    def make_optimizer(self) -> Any:
        return O.legacy.Adam(0.01, amsgrad=True)


class LegacySGD(_Legacy):
    def make_optimizer(self) -> Any:
        return O.legacy.SGD(O.schedules.InverseTimeDecay(0.05, 3, 0.5), momentum=0.9)


class LegacyRMSprop(_Legacy):
    def make_optimizer(self) -> Any:
        return O.legacy.RMSprop(0.01, momentum=0.5, centered=True)


class LegacyNadam(_Legacy):
    restores = ("checkpoint", "backup")

    def make_optimizer(self) -> Any:
        return O.legacy.Nadam(0.01)


class LegacyFtrl(_Legacy):
    def make_optimizer(self) -> Any:
        return O.legacy.Ftrl(0.1)


class LossScale(_Fit):
    restores = ("checkpoint", "backup")

    def make_optimizer(self) -> Any:
        return tf_keras.mixed_precision.LossScaleOptimizer(O.Adam(0.01), dynamic_growth_steps=3)


# --- Loops and callbacks ---


class Scheduled(_Fit):
    def callbacks(self) -> list[Any]:
        return [tf_keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (epoch + 1))]


class Loop(CheckpointJob):
    """A loop with a checkpoint, with a model and an optimizer of Keras 2."""

    steps_per_epoch = 4

    def setup(self) -> Any:
        self.net = tf_keras.Sequential([tf_keras.Input((6,)), K.Dense(3, "tanh"), K.Dense(1)])
        self.opt = O.Adam(0.01)
        self.step = tf.Variable(0, trainable=False, dtype=tf.int64)
        return tf.train.Checkpoint(net=self.net, opt=self.opt, step=self.step)

    def train(self, step: int) -> Step:
        place = step % 4 * BATCH
        x, y = X[place : place + BATCH], Y[place : place + BATCH]
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.net(x) - y) ** 2)
        weights = self.net.trainable_variables
        self.opt.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        self.step.assign_add(1)
        return Step(loss, batch=[x, y])

    def evaluate(self) -> Any:
        return tf.reduce_mean((self.net(X) - Y) ** 2)
