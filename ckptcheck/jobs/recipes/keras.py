"""Recipes for training with `fit`: short enough to read at once, and to copy."""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ckptcheck.adapters.keras import FitJob
from ckptcheck.job.protocol import Restored
from ckptcheck.jobs.datasets import load
from ckptcheck.jobs.options import RecipeOptions

BATCH, STEPS, EPOCHS = 32, 8, 4


def images() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return 256 images of digits, 8×8, and their classes."""
    digits = load("digits")
    return digits.train_images[: BATCH * STEPS], digits.train_labels[: BATCH * STEPS]


class Plain(FitJob):
    """Convolution, batch norm, dense layer; Adam."""

    restores: Sequence[str] = (
        "keras",
        "weights",
        "weights-built",
        "checkpoint",
        "backup",
        "model-checkpoint",
    )
    steps_per_epoch = STEPS
    # Recipes below override these.
    shuffle = synchronized = False

    def __init__(self, options: RecipeOptions) -> None:
        self.options = options

    def layers(self) -> list[Any]:
        convolution = keras.layers.Conv2D(8, 3, use_bias=False)
        options = {"synchronized": self.synchronized}
        norm = keras.layers.BatchNormalization(**options)
        return [convolution, norm, keras.layers.ReLU()]

    def optimizer(self) -> Any:
        return keras.optimizers.Adam(1e-2)

    def model(self) -> Any:
        head = [keras.layers.Flatten(), keras.layers.Dense(10)]
        model = keras.Sequential([keras.Input((8, 8, 1)), *self.layers(), *head])
        model.compile(
            self.optimizer(),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        return model

    def validation(self) -> Any:
        """Return held-out images."""
        digits = load("digits")
        return digits.validation_images[:128], digits.validation_labels[:128]

    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        """Train, in a fixed order unless `shuffle` is set."""
        x, y = images()
        model.fit(
            x,
            y,
            batch_size=BATCH,
            epochs=EPOCHS,
            shuffle=self.shuffle,
            initial_epoch=initial_epoch,
            callbacks=[*callbacks],
        )

    def save(self, folder: Path, step: int) -> None:
        """Save in Keras' ways; `weights-built` reads the file of `weights`."""
        super().save(folder, step)
        if "weights" not in self.restores and "weights-built" in self.restores:
            self.live.save_weights(folder / f"model-{step}.weights.h5")

    def restore(self, folder: Path, restore: str) -> Restored | None:
        """For `weights-built`, create the optimizer's slots before the weights are loaded."""
        if restore == "weights-built":
            with self.live.distribute_strategy.scope():
                self.live.optimizer.build(self.live.trainable_variables)
            return super().restore(folder, "weights")
        return super().restore(folder, restore)


class Dropout(Plain):
    """A layer that draws random numbers."""

    restores: Sequence[str] = ("keras", "weights", "checkpoint", "backup", "checkpoint-with-seeds")

    def layers(self) -> list[Any]:
        return [*super().layers(), keras.layers.Dropout(0.3)]

    def checkpoint_with_seeds(self) -> Any:
        """Return a checkpoint that also holds the states of the seed generators."""
        seeds = [
            layer.seed_generator.state
            for layer in self.live.layers
            if hasattr(layer, "seed_generator")
        ]
        return tf.train.Checkpoint(
            model=self.live,
            optimizer=self.live.optimizer,
            seeds=[seed.value for seed in seeds],
        )

    def save(self, folder: Path, step: int) -> None:
        """Save also the checkpoint with the seeds."""
        super().save(folder, step)
        path = folder / f"with-seeds-{step // STEPS}"
        self.checkpoint_with_seeds().write(str(path))

    def restore(self, folder: Path, restore: str) -> Restored | None:
        if restore != "checkpoint-with-seeds":
            return super().restore(folder, restore)
        saved = [path.stem for path in folder.glob("with-seeds-*.index")]
        self.initial_epoch = max(int(name.split("-")[-1]) for name in saved)
        path = folder / f"with-seeds-{self.initial_epoch}"
        self.checkpoint_with_seeds().read(str(path))
        return None


class MidEpoch(Plain):
    """A backup every four steps; the restored one is from the middle of an epoch."""

    restores: Sequence[str] = ("backup",)
    boundary_epochs = 2.5

    def callbacks_for(self, restore: str) -> list[Any]:
        return [keras.callbacks.BackupAndRestore(str(self.folder / "backup"), save_freq=STEPS // 2)]


class Shuffle(Plain):
    """The default of `fit`: shuffle in each epoch."""

    restores: Sequence[str] = ("backup", "keras")
    shuffle = True


class TfData(Plain):
    """A tf.data pipeline that shuffles with a seed."""

    restores: Sequence[str] = ("backup",)
    reshuffles = True

    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        data = tf.data.Dataset.from_tensor_slices(images())
        data = (
            data.shuffle(BATCH * STEPS, seed=1, reshuffle_each_iteration=self.reshuffles)
            .batch(BATCH)
            .prefetch(2)
        )
        model.fit(data, epochs=EPOCHS, initial_epoch=initial_epoch, callbacks=[*callbacks])


class TfDataOneOrder(TfData):
    """The same order in each epoch."""

    reshuffles = False


class ByEpoch(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches in an order that follows from the number of the epoch."""

    epoch = 0

    def __len__(self) -> int:
        return STEPS

    def __getitem__(self, index: int) -> Any:
        x, y = images()
        order = np.random.default_rng((0, self.epoch)).permutation(len(x))
        rows = order[index * BATCH : (index + 1) * BATCH]
        return x[rows], y[rows]


class OrderByEpoch(Plain):
    """A different order in each epoch, which follows from the epoch number."""

    restores: Sequence[str] = ("keras", "backup")
    epochs: int = EPOCHS

    def data(self) -> Any:
        return ByEpoch()

    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        data = self.data()
        set_epoch = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: setattr(data, "epoch", epoch)
        )
        model.fit(
            data,
            epochs=self.epochs,
            initial_epoch=initial_epoch,
            shuffle=False,
            callbacks=[set_epoch, *callbacks],
        )


class HalfByEpoch(ByEpoch):
    """Half of the batches in each epoch, chosen by its number."""

    def __len__(self) -> int:
        return STEPS // 2

    def __getitem__(self, index: int) -> Any:
        x, y = images()
        first = (self.epoch % 2 * len(self) + index) * BATCH
        return x[first : first + BATCH], y[first : first + BATCH]


class ShortEpochs(OrderByEpoch):
    """`MidEpoch`, fixed: epochs are half as long."""

    steps_per_epoch = STEPS // 2
    boundary_epochs = 5.0
    epochs: int = 2 * EPOCHS

    def data(self) -> Any:
        return HalfByEpoch()


class Ema(Plain):
    """Moving averages of the weights, kept by the optimizer."""

    restores: Sequence[str] = ("keras", "weights", "weights-built", "checkpoint", "backup")

    def optimizer(self) -> Any:
        return keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.9)


class EmaSwapFirst(Ema):
    """The averages are swapped in at the end of each epoch, before the backup is made."""

    restores: Sequence[str] = ("backup",)
    swap_first = True

    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        swap = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]
        super().fit(
            model,
            [*swap, *callbacks] if self.swap_first else [*callbacks[:-1], *swap, callbacks[-1]],
            initial_epoch,
        )


class EmaSwapLast(EmaSwapFirst):
    """The backup holds the trained weights, but swapping rounds them: Keras adds and subtracts."""

    swap_first = False


class SwapByCopy(keras.callbacks.Callback):  # type: ignore[misc]
    """Swaps weights and averages between epochs without rounding them."""

    swapped = False

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Swap the averages in."""
        self.swap()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Swap the weights back in."""
        if self.swapped:
            self.swap()

    def swap(self) -> None:
        """Exchange weights and averages."""
        optimizer = self.model.optimizer
        weights = optimizer._trainable_variables
        averages = optimizer._model_variables_moving_average
        for weight, average in zip(weights, averages, strict=True):
            value = np.array(weight)
            weight.assign(average)
            average.assign(value)
        self.swapped = not self.swapped


class EmaSwapCopied(Ema):
    """The backup comes first, and the swap does not round."""

    restores: Sequence[str] = ("backup",)

    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        callbacks = [*callbacks[:-1], SwapByCopy(), callbacks[-1]]
        super().fit(model, callbacks, initial_epoch)


class Plateau(Plain):
    """A callback that lowers the learning rate when the loss has stopped falling."""

    restores: Sequence[str] = ("keras", "backup")
    # At the save, it has waited for one epoch; it lowers the rate after the next.
    settings: Mapping[str, Any] = {
        "monitor": "loss",
        "factor": 0.5,
        "patience": 2,
        "min_delta": 10.0,
    }

    def plateau(self, model: Any) -> Any:
        return keras.callbacks.ReduceLROnPlateau(**self.settings)

    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        super().fit(model, [self.plateau(model), *callbacks], initial_epoch)


class PlateauInVariables(keras.callbacks.ReduceLROnPlateau):  # type: ignore[misc]
    """Keeps its state in variables, which are saved."""

    def __init__(self, kept: Any, **settings: Any) -> None:
        super().__init__(**settings)
        self.kept = kept

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        # A callback that restores, such as BackupAndRestore, does so when the training begins.
        super().on_epoch_begin(epoch, logs)
        best, wait, cooldown = np.array(self.kept.memory)
        self.best, self.wait = float(best), int(wait)
        self.cooldown_counter = int(cooldown)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        state = [self.best, self.wait, self.cooldown_counter]
        self.kept.memory.assign(state)


@keras.saving.register_keras_serializable("ckptcheck")
class Memory(keras.layers.Layer):  # type: ignore[misc]
    """A layer that only holds three numbers."""

    def build(self, shape: Any) -> None:
        start = keras.initializers.Constant([np.inf, 0, 0])
        self.memory = self.add_weight(
            shape=(3,),
            initializer=start,
            trainable=False,
            name="memory",
            dtype="float32",
        )

    def call(self, inputs: Any) -> Any:
        return inputs


class PlateauSaved(Plateau):
    """The same callback, whose state survives a restart."""

    restores: Sequence[str] = ("keras",)

    def layers(self) -> list[Any]:
        return [*super().layers(), Memory(name="plateau")]

    def plateau(self, model: Any) -> Any:
        memory = model.get_layer("plateau")
        return PlateauInVariables(memory, **self.settings)


class EarlyStopping(OrderByEpoch):
    """A callback that stops when the loss has stopped falling, and brings the best weights back."""

    restores: Sequence[str] = ("keras", "backup")
    # The loss always falls: by this the first epoch is the best, and the fourth the last.
    settings: Mapping[str, Any] = {
        "monitor": "loss",
        "mode": "max",
        "patience": 3,
        "restore_best_weights": True,
    }

    def stopping(self) -> Any:
        return keras.callbacks.EarlyStopping(**self.settings)

    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        super().fit(model, [self.stopping(), *callbacks], initial_epoch)


class EarlyStoppingKept(keras.callbacks.EarlyStopping):  # type: ignore[misc]
    """Keeps its state in a file. List it before the callback that saves."""

    kept = "best", "wait", "best_epoch", "best_weights"

    def __init__(self, path: Path, **settings: Any) -> None:
        super().__init__(**settings)
        self.path = path

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        if self.path.exists():
            for name, value in pickle.loads(self.path.read_bytes()).items():
                setattr(self, name, value)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        state = {name: getattr(self, name) for name in self.kept}
        self.path.write_bytes(pickle.dumps(state))


class EarlyStoppingSaved(EarlyStopping):
    """The same callback, whose state survives a restart."""

    def stopping(self) -> Any:
        path = self.folder / "stopping.pickle"
        return EarlyStoppingKept(path, **self.settings)


class Best(Plain):
    """A callback that keeps the best model, and forgets how good it was."""

    restores: Sequence[str] = ("keras",)
    known: float | None = None

    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        self.best = keras.callbacks.ModelCheckpoint(
            self.folder / "best.keras",
            monitor="loss",
            save_best_only=True,
            initial_value_threshold=self.known,
        )
        super().fit(model, [self.best, *callbacks], initial_epoch)


class BestKept(Best):
    """The same callback is given the best value again."""

    def save(self, folder: Path, step: int) -> None:
        super().save(folder, step)
        np.save(folder / "best.npy", self.best.best)

    def restore(self, folder: Path, restore: str) -> Restored | None:
        self.known = float(np.load(folder / "best.npy"))
        return super().restore(folder, restore)


class Schedule(Plain):
    """A learning-rate schedule, which follows from the step."""

    restores: Sequence[str] = ("keras", "weights", "checkpoint")

    def optimizer(self) -> Any:
        return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-2, STEPS * EPOCHS))


class TwoReplicas(Plain):
    """Two replicas on two logical CPU devices."""

    restores: Sequence[str] = ("weights-built", "checkpoint")

    def model(self) -> Any:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * 2
        )
        with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
            return super().model()


class TwoReplicasSynchronized(TwoReplicas):
    """The batch statistics are computed over both replicas."""

    synchronized = True
