"""Defects planted in Keras `fit` jobs on digits: state that no file holds, and wrong restores.

The author of these jobs and their expected causes knew the catalogue's sentences, but not the rules
that find causes. So the jobs test whether causes follow from evidence.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from ways import NOT_APPLIED, OMITTED, RESTARTED, SLOTS_AND_STEP, Way, clean, defect, pair

from ckptcheck.adapters.keras import FitJob
from ckptcheck.jobs.datasets import load

BATCH, STEPS, CLASSES, EPOCHS = 16, 8, 10, 4

# Names, shapes, optimizers and schedules vary, so that no diagnosis can depend on one of them.
VARIANTS: tuple[dict[str, Any], ...] = (
    {
        "names": ("conv", "norm", "left", "right", "head"),
        "convolution": True,
        "units": 6,
        "optimizer": lambda rate, **named: keras.optimizers.Adam(rate, **({"beta_1": 0.8} | named)),
        "other": {"beta_1": 0.5},
        "rate": lambda factor: 0.01 * factor,
    },
    {
        "names": ("d1", "bn_d1", "tanh_branch", "relu_branch", "logits"),
        "convolution": False,
        "units": 9,
        "optimizer": lambda rate, **named: keras.optimizers.SGD(
            rate, nesterov=True, **({"momentum": 0.9} | named)
        ),
        "other": {"momentum": 0.2},
        "rate": lambda factor: keras.optimizers.schedules.CosineDecay(
            0.05 * factor, STEPS * EPOCHS
        ),
    },
    {
        "names": ("Stem", "Standard", "A", "B", "Softmax"),
        "convolution": True,
        "units": 7,
        "optimizer": lambda rate, **named: keras.optimizers.RMSprop(
            rate, centered=True, **({"rho": 0.9} | named)
        ),
        "other": {"rho": 0.6},
        "rate": lambda factor: keras.optimizers.schedules.PiecewiseConstantDecay(
            [19], [0.01 * factor, 0.002 * factor]
        ),
    },
)


class Fit(FitJob):
    steps_per_epoch = STEPS
    ways: Mapping[str, Way] = {}
    dense = keras.layers.Dense
    exchanged = False

    def __init__(self, variant: int = 0) -> None:
        self.variant = VARIANTS[variant]

    @property
    def restores(self) -> tuple[str, ...]:  # type: ignore[override]  # of a base that has an attribute
        return tuple(self.ways)

    def model(self, **named: Any) -> Any:
        first, norm, left, right, head = self.variant["names"]
        units = self.variant["units"]
        image = keras.Input((8, 8, 1))
        if self.variant["convolution"]:
            net = keras.layers.Conv2D(4, 3, 2, name=first)(image)
        else:
            net = keras.layers.Dense(units, name=first)(keras.layers.Flatten()(image))
        net = self.norm(name=norm)(net)
        net = keras.layers.Flatten()(self.between(keras.layers.ReLU()(net)))
        # Two layers of the same shape with different activations.
        branches = [
            keras.layers.Dense(units, "tanh", name=left)(net),
            keras.layers.Dense(units, "relu", name=right)(net),
        ]
        net = keras.layers.Add()(branches[::-1] if self.exchanged else branches)
        return self.compiled(
            keras.Model(image, self.dense(CLASSES, name=head, dtype="float32")(net)), **named
        )

    def norm(self, **named: Any) -> Any:
        return keras.layers.BatchNormalization(momentum=0.9, **named)

    def between(self, net: Any) -> Any:
        return net

    def optimizer(self, **named: Any) -> Any:
        return self.variant["optimizer"](self.variant["rate"](1.0), **named)

    def compiled(self, model: Any, **named: Any) -> Any:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(self.optimizer(**named), loss, metrics=["accuracy"])
        return model

    def images(self) -> Any:
        digits = load("digits")
        return digits.train_images[: BATCH * STEPS], self.labels(
            digits.train_labels[: BATCH * STEPS]
        )

    def labels(self, labels: Any) -> Any:
        return labels

    def validation(self) -> Any:
        digits = load("digits")
        return digits.validation_images[:64], self.labels(digits.validation_labels[:64])

    def callbacks(self) -> Any:
        return []

    def fit(self, model: Any, callbacks: Any, initial_epoch: int) -> None:
        x, y = self.images()
        given = {
            "callbacks": [*self.callbacks(), *callbacks],
            "initial_epoch": initial_epoch,
            "epochs": EPOCHS,
        }
        model.fit(x, y, batch_size=BATCH, shuffle=False, **given)

    def replace(self, **named: Any) -> None:
        """Create the model again, as a restarted script does."""
        self.replace_model(lambda: self.model(**named))


# --- Ways to read the files ---


def whole(job: Any, folder: Path) -> Any:
    return FitJob.restore(job, folder, "keras")


def fresh(job: Any, folder: Path) -> Any:
    """The optimizer has no slots yet, so none are restored."""
    return FitJob.restore(job, folder, "weights")


def built(job: Any, folder: Path) -> Any:
    job.live.optimizer.build(job.live.trainable_variables)
    return FitJob.restore(job, folder, "weights")


def renamed(job: Any, folder: Path) -> Any:
    """Clean: layers have different names, which weights files do not hold."""
    job.variant = job.variant | {"names": tuple(f"new_{name}" for name in job.variant["names"])}
    job.replace()
    return built(job, folder)


def other_setting(job: Any, folder: Path) -> Any:
    job.replace(**job.variant["other"])
    return built(job, folder)


def branches_exchanged(job: Any, folder: Path) -> Any:
    """Two layers of one class and shape change places: weights files only number them."""
    job.exchanged = True
    job.replace()
    return built(job, folder)


class Head(keras.layers.Dense):
    """A custom class that replaces the saved one."""


def skip_mismatch(job: Any, folder: Path) -> Any:
    """Layers whose class differs from the saved one are skipped, with a warning."""
    job.dense = Head
    job.replace()
    loaded = job.live.load_weights
    job.live.load_weights = partial(loaded, skip_mismatch=True)
    return built(job, folder)


def one_layer_by_hand(job: Any, folder: Path) -> Any:
    """Restores layer by layer, and forgets one."""
    layer = job.live.get_layer(job.variant["names"][2])
    kept = layer.get_weights()
    restored = built(job, folder)
    layer.set_weights(kept)
    return restored


def half(job: Any, folder: Path) -> Any:
    """Restores the weights from a file in half precision."""
    restored = built(job, folder)
    newest = max(folder.glob("half-*.npz"), key=lambda each: int(each.stem.rpartition("-")[2]))
    for variable, value in zip(job.live.trainable_variables, np.load(newest).values(), strict=True):
        variable.assign(value.astype("float32"))
    return restored


def torn(job: Any, folder: Path) -> Any:
    return FitJob.restore(job, folder / "torn", "keras")


def last_by_name(job: Any, folder: Path) -> Any:
    """Restores `model-8`, which sorts after `model-16`; the epoch is that of `model-16`."""
    restored = whole(job, folder)
    job.load_model(sorted(folder.glob("model-*.keras"))[-1])
    return restored


# --- Changes after the restore ---


def compiling_again(job: Any) -> None:
    job.compiled(job.live)


def other_rate(job: Any) -> None:
    job.live.optimizer.learning_rate = job.variant["rate"](0.3)


def wrong_epoch(job: Any) -> None:
    job.initial_epoch -= 1


def frozen(job: Any) -> None:
    job.live.get_layer(job.variant["names"][0]).trainable = False


class Files(Fit):
    """One control, whose files are read in many ways."""

    ways = {
        "whole": clean(whole),
        "built-weights": clean(built),
        "renamed-layers": clean(renamed),
        "fresh-weights": defect([("slots-lost", NOT_APPLIED), ("step-lost", NOT_APPLIED)], fresh),
        "compiling-again": defect(SLOTS_AND_STEP, whole, compiling_again),
        "other-rate": defect([("learning-rate-differs", None)], whole, other_rate),
        "other-setting": defect([("hyperparameters-differ", None)], other_setting),
        "wrong-epoch": defect([("wrong-first-step", None)], whole, wrong_epoch),
        "frozen": defect([("mode-differs", None)], whole, frozen),
        "branches-exchanged": defect([("weights-swapped", None)], branches_exchanged),
        "skip-mismatch": defect([("weights-lost", None)], skip_mismatch),
        "one-layer-by-hand": defect([("weights-lost", None)], one_layer_by_hand),
        "half": defect([("precision-lost", None)], half),
        "torn": defect([("checkpoint-damaged", None)], torn),
        "last-by-name": defect([("older-checkpoint", None)], last_by_name),
        "half-and-wrong-epoch": pair(half, wrong_epoch),
        "other-setting-and-frozen": pair(other_setting, frozen),
        "one-layer-by-hand-and-other-rate": pair(one_layer_by_hand, other_rate),
    }

    def save(self, folder: Path, step: int) -> None:
        self.live.save(folder / f"model-{step}.keras")
        self.live.save_weights(folder / f"model-{step}.weights.h5")
        halves = [np.array(each).astype("float16") for each in self.live.trainable_variables]
        np.savez(folder / f"half-{step}.npz", *halves)
        (folder / "torn").mkdir(exist_ok=True)
        data = (folder / f"model-{step}.keras").read_bytes()
        (folder / "torn" / f"model-{step}.keras").write_bytes(data[: len(data) // 2])

    def restore(self, folder: Path, restore: str) -> Any:
        read, *after = self.ways[restore].how
        restored = read(self, Path(folder))
        for change in after:
            change(self)
        return restored


# --- Jobs that lose something by design ---


class Dropout(Fit):
    """No file holds a seed generator: a loaded model gets a new seed, the same model restarts."""

    ways = {
        "keras": defect(RESTARTED),
        "weights-built": defect(RESTARTED),
        "checkpoint": defect(RESTARTED),
    }
    seed: int | None = None

    def between(self, net: Any) -> Any:
        return keras.layers.Dropout(0.3, seed=self.seed)(net)

    def save(self, folder: Path, step: int) -> None:
        super().save(folder, step)
        self.live.save_weights(folder / f"model-{step}.weights.h5")

    def restore(self, folder: Path, restore: str) -> Any:
        return (
            built(self, folder) if restore == "weights-built" else super().restore(folder, restore)
        )


class SeededDropout(Dropout):
    """A generator with a fixed seed restarts, whatever the restore."""

    ways = {
        "keras": defect(RESTARTED),
        "weights-built": defect(RESTARTED),
        "checkpoint": defect(RESTARTED),
    }

    seed = 3


@keras.saving.register_keras_serializable("ckptcheck-keras-fit")
class Centre(keras.layers.Layer):
    """Subtracts a running mean, a variable that Keras does not track."""

    def build(self, shape: Any) -> None:
        self.seen = tf.Variable(tf.zeros(shape[1:]), trainable=False, name="seen")

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            self.seen.assign(0.9 * self.seen + 0.1 * tf.reduce_mean(inputs, 0))
        return inputs - self.seen


class UnknownToKeras(Fit):
    """A custom layer's non-trainable variable is in no file."""

    ways = {"keras": defect([("state-lost", OMITTED)])}

    def between(self, net: Any) -> Any:
        return Centre(name="centre")(net)


class MidEpoch(Fit):
    """A backup within an epoch, which then starts again."""

    ways = {"backup": defect([("wrong-first-step", None)])}
    boundary_epochs = 2.5

    def callbacks_for(self, restore: str) -> Any:
        return [keras.callbacks.BackupAndRestore(str(self.folder / "backup"), save_freq=STEPS // 2)]


class SwapFirst(Fit):
    """The backup is written while the averages are swapped into the weights."""

    ways = {"backup": defect([("shadows-in-weights", None)])}

    def optimizer(self, **named: Any) -> Any:
        return super().optimizer(use_ema=True, ema_momentum=0.9, **named)

    def callbacks(self) -> Any:
        return [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]


class Plateau(Fit):
    """A callback loses its waiting time."""

    ways = {"keras": defect([("python-state-lost", None)])}

    def optimizer(self, **named: Any) -> Any:
        return self.variant["optimizer"](0.01, **named)  # a callback changes no schedule

    def callbacks(self) -> Any:
        return [
            keras.callbacks.ReduceLROnPlateau(
                monitor="loss", factor=0.5, patience=2, min_delta=10.0
            )
        ]


class Ramp(keras.callbacks.Callback):
    """Counts its steps, and sets the learning rate accordingly."""

    seen = 0

    def on_train_batch_begin(self, batch: Any, logs: Any = None) -> None:
        self.seen += 1
        self.model.optimizer.learning_rate.assign(0.02 * min(1.0, self.seen / 25))


class CountsSteps(Plateau):
    """A custom callback counts steps, and its count is in no file."""

    ways = {"keras": defect([("python-state-lost", None)])}

    def callbacks(self) -> Any:
        return [Ramp()]


class Reshuffled(Fit):
    """tf.data shuffles with a seed: a new order in each epoch, and the first again after a restart."""

    ways = {"backup": defect([("data-order", None)])}

    def fit(self, model: Any, callbacks: Any, initial_epoch: int) -> None:
        pairs = (
            tf.data.Dataset.from_tensor_slices(self.images())
            .shuffle(BATCH * STEPS, seed=1)
            .batch(BATCH)
        )
        model.fit(pairs, epochs=EPOCHS, initial_epoch=initial_epoch, callbacks=[*callbacks])


class LabelsBySet(Fit):
    """Numbers the classes in the order of a set."""

    ways = {"keras": defect([("depends-on-hash-order", None)])}

    names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

    def labels(self, labels: Any) -> Any:
        numbers = {name: number for number, name in enumerate(set(self.names))}
        return np.array([numbers[self.names[each]] for each in labels])


class HalfPrecision(Fit):
    """Mixed precision: compiling wraps the inner optimizer in a new loss scale."""

    ways = {
        "keras": clean(),
        "compiled-with-inner": defect([("loss-scale-lost", None)]),
    }

    def model(self, **named: Any) -> Any:
        keras.mixed_precision.set_global_policy("mixed_float16")
        return super().model(**named)

    def optimizer(self, **named: Any) -> Any:
        return self.scaled(super().optimizer(**named))

    def scaled(self, optimizer: Any) -> Any:
        return keras.optimizers.LossScaleOptimizer(
            optimizer, initial_scale=64.0, dynamic_growth_steps=3
        )

    def restore(self, folder: Path, restore: str) -> Any:
        restored = super().restore(folder, "keras")
        if restore == "compiled-with-inner":
            optimizer = self.scaled(self.live.optimizer.inner_optimizer)
            self.live.compile(optimizer, self.live.loss, metrics=["accuracy"])
        return restored


class DropoutAndSteps(SeededDropout, CountsSteps):
    """Two independent losses."""

    ways = {"keras": pair(causes=[("generators-restarted", OMITTED), ("python-state-lost", None)])}


# `files.py:Files_1` is the job `Files` in the second variant.
JOBS = [
    name
    for name, each in list(globals().items())
    if isinstance(each, type) and issubclass(each, Fit)
]
for _name in JOBS:
    for _number in range(len(VARIANTS)):
        globals()[f"{_name}_{_number}"] = partial(globals()[_name], _number)
