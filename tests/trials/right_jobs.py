"""Right jobs that were refused or accused. Further ones of each kind are in `tests/clean`."""

from typing import Any

import keras
import tensorflow as tf

from ckptcheck import Step
from ckptcheck.adapters.keras import FitJob
from tests.trials.base import C, F, K, X, Y

ALL = ("keras", "checkpoint", "backup")


class MappedByPython(F):
    restores = ("keras", "checkpoint", "backup", "model-checkpoint")  # type: ignore[assignment]

    def data(self) -> Any:
        return super().data().map(lambda x, y: (x * 2, y))


class BidirectionalReshaped(F):
    restores = ALL  # type: ignore[assignment]

    def make(self) -> list[Any]:
        return [K.Reshape((2, 2)), K.Bidirectional(K.GRU(3)), K.Dense(1)]


class BidirectionalAlone(F):
    restores = ALL  # type: ignore[assignment]

    def model(self) -> Any:
        layers = [K.Reshape((2, 2)), K.Bidirectional(K.GRU(4)), K.Dense(1)]
        model = keras.Sequential([keras.Input((4,)), *layers])
        model.compile("adam", "mse")
        return model


class MeasuredDropout(F):
    """Draws random numbers, and measures."""

    def make(self) -> list[Any]:
        return [K.Dense(4), K.Dropout(0.3), K.Dense(1)]

    def model(self) -> Any:
        model = super().model()
        model.compile("adam", "mse", metrics=["mae"])
        return model


class StepsAtOnce(F):
    """Executes several steps at once."""

    restores = ALL  # type: ignore[assignment]

    def model(self) -> Any:
        model = super().model()
        model.compile("adam", "mse", steps_per_execution=3)
        return model


class EpochOfUnknownLength(FitJob):
    """Says nothing of the length of an epoch, which Keras does not know, either."""

    restores = ALL

    def model(self) -> Any:
        return F.model(self)  # type: ignore[arg-type]

    def fit(self, model: Any, callbacks: Any, initial_epoch: int) -> None:
        data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8).filter(lambda x, y: True)
        model.fit(
            data,
            epochs=5,
            callbacks=callbacks,
            initial_epoch=initial_epoch,
            validation_data=(X, Y),
        )

    opt, make = F.opt, F.make


class BareVariable(C):
    def setup(self) -> Any:
        self.w = tf.Variable(tf.zeros((4, 1)))
        self.opt = keras.optimizers.Adam(0.05)
        return tf.train.Checkpoint(w=self.w, opt=self.opt)

    def train(self, step: int) -> Step:
        x, y = self.batch(step)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((x @ self.w - y) ** 2)
        self.opt.apply_gradients([(tape.gradient(loss, self.w), self.w)])
        return Step(loss, batch=[x, y])

    def evaluate(self) -> Any:
        return tf.reduce_mean((X @ self.w - Y) ** 2)


class Text(C):
    def train(self, step: int) -> Step:
        words: Any = tf.constant(["a", "bc"])
        return Step(super().train(step).loss, batch=[words])


class Ragged(C):
    def train(self, step: int) -> Step:
        rows: Any = tf.ragged.constant([["a"], [], ["b", "c"]])
        return Step(super().train(step).loss, batch=[rows])


class Sparse(C):
    def train(self, step: int) -> Step:
        x, _ = self.batch(step)
        rows: Any = tf.sparse.from_dense(x)
        return Step(super().train(step).loss, batch=[rows])
