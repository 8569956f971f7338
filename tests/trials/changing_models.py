"""Jobs that change the model within `fit`, or whose model is not all there when it is restored."""

from typing import Any

import keras
import tensorflow as tf

from tests.trials.base import C, F, K, X, Y


class Changes(F):
    """Has a callback of its own before ours."""

    def change(self, epoch: int, model: Any) -> None:
        model.make_train_function(force=True)

    def mine(self, callbacks: Any) -> Any:
        return [
            keras.callbacks.LambdaCallback(
                on_epoch_begin=lambda epoch, logs: self.change(epoch, self.live)
            ),
            *callbacks,
        ]


class RemadeEachEpoch(Changes):
    pass


class RecompiledEachEpoch(Changes):
    def change(self, epoch: int, model: Any) -> None:
        model.compile(model.optimizer, "mse" if epoch < 3 else "mae")
        model.make_train_function()


class Turned(Changes):
    """Reads its data backwards once it is resumed."""

    def fit(self, model: Any, callbacks: Any, initial_epoch: int) -> None:
        x, y = (X[::-1], Y[::-1]) if initial_epoch else (X, Y)
        model.fit(
            x,
            y,
            batch_size=8,
            shuffle=False,
            epochs=5,
            callbacks=self.mine(callbacks),
            initial_epoch=initial_epoch,
            validation_data=(X, Y),
        )


class OfFixedBatches(F):
    """Has a state of eight rows, which each epoch empties, and validates in batches of as many."""

    restores = ("checkpoint",)

    def model(self) -> Any:
        layers = [K.GRU(3, stateful=True), K.Dense(1)]
        model = keras.Sequential([keras.Input(batch_shape=(8, 2, 2)), *layers])
        model.compile("sgd", "mse")
        return model

    def mine(self, callbacks: Any) -> Any:
        empty = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: self.live.layers[0].reset_states()
        )
        return [empty, *callbacks]

    def fit(self, model: Any, callbacks: Any, initial_epoch: int) -> None:
        x = X.reshape(64, 2, 2)
        model.fit(
            x,
            Y,
            shuffle=False,
            epochs=5,
            callbacks=self.mine(callbacks),
            initial_epoch=initial_epoch,
            validation_data=(x, Y),
            batch_size=8,
        )


class ValidatesTwoBatches(F):
    """Validates on two batches of a dataset without an end."""

    def fit(self, model: Any, callbacks: Any, initial_epoch: int) -> None:
        model.fit(
            self.data(),
            epochs=5,
            callbacks=callbacks,
            initial_epoch=initial_epoch,
            validation_data=self.data().repeat(),
            validation_steps=2,
        )


@keras.saving.register_keras_serializable("trials")
class Late(keras.Model):
    """Has no `build` of its own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.hidden, self.head = K.Dense(3, "tanh"), K.Dense(1)

    def call(self, x: Any) -> Any:
        return self.head(self.hidden(x))


class BuiltInName(F):
    restores = ("backup",)

    def model(self) -> Any:
        model = Late()
        self.create(model)
        model.compile("adam", "mse")
        return model

    def create(self, model: Any) -> None:
        model.build((None, 4))


class Called(BuiltInName):
    def create(self, model: Any) -> None:
        model(X[:1])


class Lora(F):
    restores = ("keras", "weights", "backup", "checkpoint")  # type: ignore[assignment]

    def model(self) -> Any:
        model = super().model()
        model.layers[0].enable_lora(2)
        model.compile("adam", "mse")
        model.optimizer.build(model.trainable_variables)
        return model


class LambdaLoss(F):
    def model(self) -> Any:
        model = super().model()
        model.compile("adam", lambda y, guess: keras.ops.mean((y - guess) ** 2))
        return model


@keras.saving.register_keras_serializable("trials")
def squares(y: Any, guess: Any) -> Any:
    return keras.ops.mean((y - guess) ** 2)


class NamedLoss(F):
    def model(self) -> Any:
        model = super().model()
        model.compile("adam", squares)
        return model


class Unsaved(K.Dense):
    def get_config(self) -> Any:
        raise NotImplementedError("no config")


class SaveRaises(F):
    restores = ("keras", "weights", "checkpoint")  # type: ignore[assignment]

    def make(self) -> list[Any]:
        return [Unsaved(3), K.Dense(1)]


class CountsWords(C):
    """A table that is no variable changes the data."""

    saved = False

    def more(self) -> dict[str, Any]:
        self.words = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, 0.0)
        return {"words": self.words} if self.saved else {}

    def batch(self, step: int) -> tuple[Any, Any]:
        word = tf.constant(["word"])
        self.words.insert(word, self.words.lookup(word) + 1)
        x, y = super().batch(step)
        return x, y + self.words.lookup(word).numpy()


class SavesWords(CountsWords):
    saved = True
