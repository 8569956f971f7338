"""Jobs whose remedy used to name the restore that failed, or to stop short of code."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tests.trials.base import C, F, K


@keras.saving.register_keras_serializable("trials")
class Hidden(keras.layers.Layer):
    """Keeps its layers in an attribute that Keras uses itself."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._layers = [K.Dense(3, "tanh"), K.Dense(2)]

    def build(self, shape: Any) -> None:
        for layer in self._layers:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)

    def call(self, x: Any) -> Any:
        for layer in self._layers:
            x = layer(x)
        return x


class HiddenLayers(F):
    restores = ("keras", "weights", "backup")  # type: ignore[assignment]

    def make(self) -> list[Any]:
        return [Hidden(name="hidden"), K.Dense(1)]


class Nested(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = [[K.Dense(3, "tanh")], [K.Dense(1)]]
        self(tf.zeros((1, 4)))

    def call(self, x: Any) -> Any:
        for block in self.blocks:
            for layer in block:
                x = layer(x)
        return x


class NestedLists(F):
    restores = ("checkpoint",)

    def model(self) -> Any:
        model = Nested()
        model.compile("adam", "mse")
        return model


class Adam(C):
    """A loop that saves all it has."""

    def setup(self) -> Any:
        super().setup()
        self.opt = keras.optimizers.Adam(0.05)
        self.opt.build(self.net.trainable_variables)
        return tf.train.Checkpoint(net=self.net, opt=self.opt)


class Wrapper:
    """Hides its optimizer from the checkpoint."""

    def __init__(self, inner: Any) -> None:
        self.inner = [inner]


class Wrapped(Adam):
    def setup(self) -> Any:
        super().setup()
        self.wrapper = Wrapper(self.opt)
        return tf.train.Checkpoint(net=self.net)


class RestoresWeights(Adam):
    """The checkpoint holds the optimizer; the restore asks for the network alone."""

    def restore(self, folder: Path, restore: str) -> None:
        path = tf.train.latest_checkpoint(str(folder))
        tf.train.Checkpoint(net=self.net).restore(path).expect_partial()


class RestoresWithoutCompiling(F):
    """The file holds the optimizer; the restore starts a new one."""

    restores = ("mine",)

    def save(self, folder: Path, step: int) -> None:
        self.live.save(folder / "newest.keras")

    def restore(self, folder: Path, restore: str) -> None:
        path = folder / "newest.keras"
        self.replace_model(lambda: keras.models.load_model(path, compile=False))
        self.live.compile(self.opt, "mse")
        self.initial_epoch = 2


class OwnFile(Adam):
    """Saves everything into a file of its own, and reads the weights alone."""

    def variables(self) -> list[Any]:
        return [*self.net.variables, *self.opt.variables]

    def save(self, folder: Path, step: int) -> None:
        arrays: dict[str, Any] = {
            each.path.replace("/", "|"): np.array(each) for each in self.variables()
        }
        np.savez(folder / "state.npz", **arrays)

    def restore(self, folder: Path, restore: str) -> None:
        with np.load(folder / "state.npz") as file:
            for variable in self.net.variables:
                variable.assign(file[variable.path.replace("/", "|")])


class OwnFileOfWeights(OwnFile):
    def variables(self) -> list[Any]:
        return list(self.net.variables)


class OwnFileUnknown(OwnFile):
    """One more file, which no reader knows: it may hold anything."""

    def variables(self) -> list[Any]:
        return list(self.net.variables)

    def save(self, folder: Path, step: int) -> None:
        super().save(folder, step)
        (folder / "state.pkl").write_bytes(b"\x80\x04.")


class Best(F):
    def mine(self, callbacks: Any) -> Any:
        path = self.folder / "best.keras"
        return [keras.callbacks.ModelCheckpoint(path, save_best_only=True), *callbacks]


class Lagging(F):
    momentum = 0.99

    def make(self) -> list[Any]:
        shifted = K.Rescaling(1.0, 10.0)
        return [shifted, K.BatchNormalization(momentum=self.momentum), K.Dense(1)]


class NotLagging(Lagging):
    momentum = 0.3
