"""Unusual Keras jobs, and malformed ones; the class name says what is unusual or wrong."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ckptcheck.adapters.keras import FitJob
from ckptcheck.adapters.tf2 import CheckpointJob
from ckptcheck.job import Restored, Step

X = np.random.default_rng(0).normal(size=(40, 6)).astype("float32")
Y = X.sum(1, keepdims=True)


class Small(FitJob):
    restores: Sequence[str] = ("keras",)
    steps_per_epoch = 5

    def model(self) -> Any:
        model = keras.Sequential(
            [keras.Input((6,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)]
        )
        model.compile("adam", "mse")
        return model

    def validation(self) -> Any:
        return X[:8], Y[:8]

    def arguments(self) -> Mapping[str, Any]:
        return {"batch_size": 8, "shuffle": False, "epochs": 4}

    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        model.fit(X, Y, callbacks=callbacks, initial_epoch=initial_epoch, **self.arguments())


# --- Unusual, but right ---


class Unbuilt(Small):
    """No input shape: `fit` creates every variable."""

    restores: Sequence[str] = ("keras", "checkpoint")

    def model(self) -> Any:
        model = keras.Sequential([keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        return model


class OwnTrainStep(Small):
    restores: Sequence[str] = ("backup", "weights-built")

    def model(self) -> Any:
        class Own(keras.Model):
            def __init__(self) -> None:
                super().__init__()
                self.dense = keras.layers.Dense(1)

            def call(self, x: Any) -> Any:
                return self.dense(x)

            def train_step(self, data: Any) -> Any:
                x, y = data
                with tf.GradientTape() as tape:
                    loss = self.compute_loss(x, y, self(x))
                gradients = tape.gradient(loss, self.trainable_variables)
                self.optimizer.apply_gradients(
                    zip(gradients, self.trainable_variables, strict=True)
                )
                return {"loss": loss}

        model = Own()
        model(X[:1])
        model.compile("sgd", "mse")
        return model

    def save(self, folder: Path, step: int) -> None:
        self.live.save_weights(folder / "all.weights.h5")

    def restore(self, folder: Path, restore: str) -> Restored | None:
        if restore == "backup":
            return super().restore(folder, restore)
        self.live.optimizer.build(self.live.trainable_variables)
        self.live.load_weights(folder / "all.weights.h5")
        self.initial_epoch = 2
        return None


class TwoInputs(Small):
    """Two inputs and two outputs; validates with the data that `fit` passes."""

    def model(self) -> Any:
        left, right = keras.Input((3,), name="left"), keras.Input((3,), name="right")
        both = keras.layers.Concatenate()([left, right])
        outputs = {name: keras.layers.Dense(1, name=name)(both) for name in ("sum", "difference")}
        model = keras.Model({"left": left, "right": right}, outputs)
        model.compile("rmsprop", {"sum": "mse", "difference": "mae"})
        return model

    def validation(self) -> Any:
        return None

    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        x = {"left": X[:, :3], "right": X[:, 3:]}
        y = {"sum": Y, "difference": X[:, :1] - X[:, 1:2]}
        model.fit(
            x,
            y,
            callbacks=callbacks,
            initial_epoch=initial_epoch,
            validation_data=(x, y),
            **self.arguments(),
        )


class Eager(Small):
    def model(self) -> Any:
        model = super().model()
        model.compile("adam", "mse", run_eagerly=True)
        return model


class MixedPrecision(Small):
    """A global policy, a wrapped optimizer, and a dataset of unknown length."""

    def model(self) -> Any:
        keras.mixed_precision.set_global_policy("mixed_float16")
        return super().model()

    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        def batches() -> Iterator[Any]:
            for first in range(0, 40, 8):
                yield X[first : first + 8], Y[first : first + 8]

        signature = (tf.TensorSpec((None, 6)), tf.TensorSpec((None, 1)))
        data = tf.data.Dataset.from_generator(batches, output_signature=signature)
        model.fit(data, epochs=4, callbacks=callbacks, initial_epoch=initial_epoch)


class Attention(Small):
    """Nested layers, one with a seed generator that no file holds; a metric with its own state."""

    restores: Sequence[str] = ("keras", "backup")

    def model(self) -> Any:
        tokens = keras.Input((6,))
        pairs = keras.layers.Reshape((3, 2))(tokens)
        seen = keras.layers.MultiHeadAttention(2, 2, dropout=0.1)(pairs, pairs)
        model = keras.Model(tokens, keras.layers.Dense(1)(keras.layers.Flatten()(seen)))
        model.compile("adam", "mse", metrics=[keras.metrics.RootMeanSquaredError()])
        return model


class Text(Small):
    """Batches of text."""

    restores: Sequence[str] = ("weights",)

    def model(self) -> Any:
        words = keras.layers.TextVectorization(output_sequence_length=3, vocabulary=["a", "b", "c"])
        hidden = [
            words,
            keras.layers.Embedding(6, 3),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
        model = keras.Sequential([keras.Input((1,), dtype="string"), *hidden])
        model.compile("sgd", "mse")
        return model

    def data(self) -> Any:
        return tf.data.Dataset.from_tensor_slices(
            (np.array([["a b"], ["c"], ["b c a"], [""]] * 10), Y)
        ).batch(8)

    def validation(self) -> Any:
        return self.data()

    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        model.fit(self.data(), epochs=4, callbacks=callbacks, initial_epoch=initial_epoch)


class MakesMetrics(Small):
    """A callback creates variables at the end of each epoch, and drops them."""

    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        def score(epoch: int, logs: Any) -> None:
            metric = keras.metrics.Mean()
            metric.update_state(epoch)
            metric.itself = metric  # a cycle, which only the garbage collector frees

        super().fit(
            model, [keras.callbacks.LambdaCallback(on_epoch_end=score), *callbacks], initial_epoch
        )


class SecondModel(Small):
    """A variable outside the model, an average of the weights, is not saved."""

    def model(self) -> Any:
        model = super().model()
        self.average = tf.Variable(tf.zeros((6, 4)), trainable=False, name="kernel_average")
        return model

    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        kept = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: self.average.assign(
                0.9 * self.average + 0.1 * self.live.layers[0].kernel
            )
        )
        super().fit(model, [kept, *callbacks], initial_epoch)


class TwoStepsAtOnce(Small):
    def model(self) -> Any:
        model = super().model()
        model.compile("adam", "mse", steps_per_execution=2)
        return model


# --- Malformed ---


class OtherSteps(Small):
    steps_per_epoch = 7


class MoreStepsThanSaid(MixedPrecision):
    steps_per_epoch = 4


class FewerStepsThanSaid(MixedPrecision):
    steps_per_epoch = 6


class NotCompiled(Small):
    def model(self) -> Any:
        return keras.Sequential([keras.layers.Dense(1)])


class NothingToValidateWith(Small):
    def validation(self) -> Any:
        return None


class SplitsForValidation(NothingToValidateWith):
    steps_per_epoch = 4

    def arguments(self) -> Mapping[str, Any]:
        return {**super().arguments(), "validation_split": 0.2}


class ForgetsCallbacks(Small):
    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        model.fit(X, Y, initial_epoch=initial_epoch, **self.arguments())


class ForgetsInitialEpoch(Small):
    restores: Sequence[str] = ("keras", "backup")

    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        model.fit(X, Y, callbacks=callbacks, **self.arguments())


class TooFewEpochs(Small):
    def arguments(self) -> Mapping[str, Any]:
        return {**super().arguments(), "epochs": 2}


class NoCheckpoint(CheckpointJob):
    steps_per_epoch = 5

    def setup(self) -> Any:
        return {"model": keras.Sequential([keras.layers.Dense(1)])}

    def train(self, step: int) -> Step:
        raise AssertionError

    def evaluate(self) -> float:
        raise AssertionError


class WhichStep(CheckpointJob):
    steps_per_epoch = 5

    def setup(self) -> Any:
        self.model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
        return tf.train.Checkpoint(model=self.model)

    def train(self, step: int) -> Step:
        raise AssertionError

    def evaluate(self) -> float:
        raise AssertionError
