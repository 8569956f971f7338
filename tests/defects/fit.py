"""Defects planted in Keras `fit` jobs: state that no file holds, and misused callbacks."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from ways import NOT_APPLIED, OMITTED, RESTARTED, SLOTS_AND_STEP, Way, clean, defect, pair

from ckptcheck.adapters.keras import FitJob
from ckptcheck.job import Restored

BATCH, STEPS, FEATURES, CLASSES, EPOCHS = 16, 5, 10, 3, 4

# Names, shapes, optimizers and schedules vary, so that no diagnosis can depend on one of them.
VARIANTS: tuple[dict[str, Any], ...] = (
    {
        "names": ("hidden", "norm", "head"),
        "units": 6,
        "optimizer": lambda rate=0.01, **named: keras.optimizers.Adam(rate, **named),
        "setting": {"beta_1": 0.5},
        "activation": "relu",
    },
    {
        "names": ("dense_a", "z", "q7"),
        "units": 9,
        "optimizer": lambda rate=0.05, **named: keras.optimizers.SGD(
            rate, **({"momentum": 0.9} | named)
        ),
        "setting": {"momentum": 0.2},
        "activation": "tanh",
    },
    {
        "names": ("Encoder", "Standard", "Softmax"),
        "units": 7,
        "optimizer": lambda rate=0.02, **named: keras.optimizers.Nadam(rate, **named),
        "setting": {"beta_2": 0.9},
        "activation": "gelu",
    },
)


def data() -> Any:
    draw = np.random.default_rng(4)
    x = draw.normal(size=(BATCH * STEPS, FEATURES)).astype("float32")
    return x, (x.sum(1) > 0).astype("int64") + (x[:, 0] > 1)


class Fit(FitJob):
    steps_per_epoch = STEPS
    ways: Mapping[str, Way] = {}

    def __init__(self, variant: int = 0) -> None:
        self.variant = VARIANTS[variant]

    @property
    def restores(self) -> tuple[str, ...]:  # type: ignore[override]  # of a base that has an attribute
        return tuple(self.ways)

    def layers(self) -> Any:
        first, norm, _ = self.variant["names"]
        hidden = keras.layers.Dense(self.variant["units"], self.variant["activation"], name=first)
        return [hidden, keras.layers.BatchNormalization(momentum=0.9, name=norm)]

    def optimizer(self, **named: Any) -> Any:
        return self.variant["optimizer"](**named)

    def compiled(self, model: Any, **named: Any) -> Any:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(self.optimizer(**named), loss, metrics=["accuracy"])
        return model

    def model(self) -> Any:
        last = keras.layers.Dense(CLASSES, name=self.variant["names"][2])
        return self.compiled(keras.Sequential([keras.Input((FEATURES,)), *self.layers(), last]))

    def validation(self) -> Any:
        return data()

    def callbacks(self) -> Any:
        return []

    def fit(self, model: Any, callbacks: Any, initial_epoch: int) -> None:
        x, y = data()
        given = [*self.callbacks(), *callbacks]
        model.fit(
            x,
            y,
            batch_size=BATCH,
            epochs=EPOCHS,
            shuffle=False,
            initial_epoch=initial_epoch,
            callbacks=given,
        )


# --- Restores that lose something, with one control ---


def _keras(job: Any, folder: Path) -> Any:
    return FitJob.restore(job, folder, "keras")


def whole(job: Any, folder: Path) -> Any:
    return _keras(job, folder)


def fresh_weights(job: Any, folder: Path) -> Any:
    return FitJob.restore(job, folder, "weights")


def built_weights(job: Any, folder: Path) -> Any:
    job.live.optimizer.build(job.live.trainable_variables)
    return FitJob.restore(job, folder, "weights")


def renamed_layers(job: Any, folder: Path) -> Any:
    job.variant = job.variant | {"names": tuple(f"new_{name}" for name in job.variant["names"])}
    job.replace_model(job.model)
    return built_weights(job, folder)


def compiling_again(job: Any, folder: Path) -> Any:
    restored = _keras(job, folder)
    job.compiled(job.live)
    return restored


def other_rate(job: Any, folder: Path) -> Any:
    restored = _keras(job, folder)
    job.live.optimizer.learning_rate.assign(0.5 * job.live.optimizer.learning_rate)
    return restored


def other_setting(job: Any, folder: Path) -> Any:
    restored = _keras(job, folder)
    for name, value in job.variant["setting"].items():
        setattr(job.live.optimizer, name, value)
    return restored


def wrong_epoch(job: Any, folder: Path) -> Any:
    restored = _keras(job, folder)
    job.initial_epoch -= 1
    return restored


def frozen(job: Any, folder: Path) -> Any:
    restored = _keras(job, folder)
    job.live.get_layer(job.variant["names"][0]).trainable = False
    return restored


def one_layer_left_out(job: Any, folder: Path) -> Any:
    """Restores layer by layer, and forgets one."""
    kept = [np.array(each) for each in job.live.layers[-1].weights]
    restored = built_weights(job, folder)
    for variable, value in zip(job.live.layers[-1].weights, kept, strict=True):
        variable.assign(value)
    return restored


def through_float16(job: Any, folder: Path) -> Any:
    restored = _keras(job, folder)
    for variable in job.live.trainable_variables:
        variable.assign(np.array(variable).astype("float16").astype("float32"))
    return restored


def truncated(job: Any, folder: Path) -> Any:
    for each in folder.glob("*.keras"):
        each.write_bytes(each.read_bytes()[:-200])
    return _keras(job, folder)


def both(one: Any, other: Any) -> Any:
    """Applies two changes in turn."""

    def restore(job: Any, folder: Path) -> Any:
        restored = one(job, folder)
        loaded = job.load_model
        job.load_model = lambda path: None
        epoch = job.initial_epoch
        other(job, folder)
        job.load_model, job.initial_epoch = loaded, min(epoch, job.initial_epoch)
        return restored

    return restore


class ByHand(Fit):
    """Keras files, restored in ways that lose something."""

    ways = {
        "whole": clean(whole),
        "built-weights": clean(built_weights),
        "renamed-layers": clean(renamed_layers),
        "fresh-weights": defect(
            [("slots-lost", NOT_APPLIED), ("step-lost", NOT_APPLIED)], fresh_weights
        ),
        "compiling-again": defect(SLOTS_AND_STEP, compiling_again),
        "other-rate": defect([("learning-rate-differs", None)], other_rate),
        "other-setting": defect([("hyperparameters-differ", None)], other_setting),
        "wrong-epoch": defect([("wrong-first-step", None)], wrong_epoch),
        "frozen": defect([("mode-differs", None)], frozen),
        "one-layer-left-out": defect([("weights-lost", None)], one_layer_left_out),
        "through-float16": defect([("precision-lost", None)], through_float16),
        "truncated": defect([("checkpoint-damaged", None)], truncated),
        "through-float16-and-other-rate": pair(both(through_float16, other_rate)),
        "other-setting-and-wrong-epoch": pair(both(other_setting, wrong_epoch)),
    }

    def save(self, folder: Path, step: int) -> None:
        self.live.save(folder / f"model-{step}.keras")
        self.live.save_weights(folder / f"model-{step}.weights.h5")

    def restore(self, folder: Path, restore: str) -> Any:
        (restoring,) = self.ways[restore].how
        return restoring(self, Path(folder))


# --- Jobs that lose something by design ---


class WithDropout(Fit):
    """No file holds a seed generator: a new model gets a new seed, the same model restarts."""

    ways = {
        "keras": defect([("generators-reseeded", OMITTED)]),
        "checkpoint": defect(RESTARTED),
    }

    def layers(self) -> Any:
        return [*super().layers(), keras.layers.Dropout(0.3)]


@keras.saving.register_keras_serializable("ckptcheck-defects")
class Scale(keras.layers.Layer):
    """Divides by the largest value so far, which is not saved."""

    def build(self, shape: Any) -> None:
        self.largest = tf.Variable(1.0, trainable=False, name="largest")

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            self.largest.assign(tf.maximum(self.largest, tf.reduce_max(tf.abs(inputs))))
        return inputs / self.largest


class StateOfItsOwn(Fit):
    """A layer holds a variable that Keras does not track."""

    ways = {"keras": defect([("state-lost", OMITTED)])}

    def layers(self) -> Any:
        return [*super().layers(), Scale(name="scale")]


class MidEpoch(Fit):
    """A backup within an epoch, which then starts again."""

    ways = {"backup": defect([("wrong-first-step", None)])}
    boundary_epochs = 2.4

    def callbacks_for(self, restore: str) -> Any:
        return [keras.callbacks.BackupAndRestore(str(self.folder / "backup"), save_freq=2)]


class SwapFirst(Fit):
    """The backup is written while the averages are swapped into the weights."""

    ways = {"backup": defect([("shadows-in-weights", None)])}

    def optimizer(self, **named: Any) -> Any:
        return super().optimizer(use_ema=True, ema_momentum=0.9, **named)

    def callbacks(self) -> Any:
        return [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]


class SwapLast(SwapFirst):
    """The backup is right, but each swap rounds the control's weights: it adds and subtracts."""

    ways = {"backup": defect([("rounding", None)], clean={"rtol": 0.001, "atol": 1e-05})}

    def fit(self, model: Any, callbacks: Any, initial_epoch: int) -> None:
        x, y = data()
        given = [*callbacks[:-1], *self.callbacks(), callbacks[-1]]
        model.fit(
            x,
            y,
            batch_size=BATCH,
            epochs=EPOCHS,
            shuffle=False,
            initial_epoch=initial_epoch,
            callbacks=given,
        )


class Plateau(Fit):
    """A callback loses its waiting time."""

    ways = {"keras": defect([("python-state-lost", None)])}

    def callbacks(self) -> Any:
        return [
            keras.callbacks.ReduceLROnPlateau(
                monitor="loss", factor=0.5, patience=2, min_delta=10.0
            )
        ]


class Warm(keras.callbacks.Callback):
    """Counts batches, and raises the learning rate accordingly."""

    seen = 0

    def on_train_batch_begin(self, batch: Any, logs: Any = None) -> None:
        self.seen += 1
        self.model.optimizer.learning_rate.assign(1e-3 * self.seen)


class CountsItself(Fit):
    """A custom callback counts batches, and its count is in no file."""

    ways = {"keras": defect([("python-state-lost", None)])}

    def callbacks(self) -> Any:
        return [Warm()]


class Reshuffled(Fit):
    """tf.data shuffles with a seed: a new order in each epoch, and the first again after a restart."""

    ways = {"backup": defect([("data-order", None)])}

    def fit(self, model: Any, callbacks: Any, initial_epoch: int) -> None:
        pairs = (
            tf.data.Dataset.from_tensor_slices(data()).shuffle(BATCH * STEPS, seed=1).batch(BATCH)
        )
        model.fit(pairs, epochs=EPOCHS, initial_epoch=initial_epoch, callbacks=[*callbacks])


class LabelsBySet(Fit):
    """Numbers the classes in the order of a set."""

    ways = {"keras": defect([("depends-on-hash-order", None)])}

    names = ("setosa", "versicolor", "virginica")

    def fit(self, model: Any, callbacks: Any, initial_epoch: int) -> None:
        x, y = data()
        numbers = {name: number for number, name in enumerate(set(self.names))}
        y = np.array([numbers[self.names[each]] for each in y])
        model.fit(
            x,
            y,
            batch_size=BATCH,
            epochs=EPOCHS,
            shuffle=False,
            initial_epoch=initial_epoch,
            callbacks=[*callbacks],
        )


class ScaleBegunAgain(Fit):
    """Mixed precision: the inner optimizer is restored, and its loss scale is new."""

    ways = {"inner-optimizer": defect([("loss-scale-lost", OMITTED)])}

    def model(self) -> Any:
        keras.mixed_precision.set_global_policy("mixed_float16")
        made = super().model()
        made.compile(
            keras.optimizers.LossScaleOptimizer(
                self.optimizer(), initial_scale=64.0, dynamic_growth_steps=3
            ),
            made.loss,
        )
        return made

    def checkpoint(self) -> Any:
        # Not the whole model: it would bring its own optimizer.
        variables = [each.value for each in self.live.variables]
        return tf.train.Checkpoint(
            variables=variables, optimizer=self.live.optimizer.inner_optimizer
        )

    def save(self, folder: Path, step: int) -> None:
        tf.train.CheckpointManager(self.checkpoint(), str(folder), max_to_keep=None).save(
            checkpoint_number=step
        )

    def restore(self, folder: Path, restore: str) -> Any:
        from ckptcheck.adapters.tensorflow.variables import names_of
        from ckptcheck.adapters.tf2 import restore_checkpoint

        self.live.optimizer.build(self.live.trainable_variables)
        prefix = tf.train.latest_checkpoint(str(folder))
        held, keys, values = restore_checkpoint(self.checkpoint(), prefix)
        self.initial_epoch = int(prefix.rpartition("-")[2]) // STEPS
        return Restored(
            lambda: keys(names_of([self.live], self._created.variables())), held, values
        )


class TwoReplicas(Fit):
    """Each replica has its own moving statistics; one replica's are saved."""

    ways = {"weights-built": defect([("replicas-lost", None)])}
    synchronized = False

    def layers(self) -> Any:
        first, norm, _ = self.variant["names"]
        hidden = keras.layers.Dense(self.variant["units"], name=first)
        return [hidden, keras.layers.BatchNormalization(name=norm, synchronized=self.synchronized)]

    def model(self) -> Any:
        processor = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(
            processor, [tf.config.LogicalDeviceConfiguration()] * 2
        )
        with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
            return super().model()

    def save(self, folder: Path, step: int) -> None:
        self.live.save_weights(folder / f"model-{step}.weights.h5")

    def restore(self, folder: Path, restore: str) -> Any:
        with self.live.distribute_strategy.scope():
            return built_weights(self, folder)


class TwoReplicasTogether(TwoReplicas):
    """Clean: the batch statistics are computed over both replicas."""

    ways = {"weights-built": clean()}

    synchronized = True


class BestOnly(Fit):
    """ModelCheckpoint(save_best_only=True) loses its best value, and overwrites the best file."""

    ways = {"keras": defect([("python-state-lost", None)])}

    def callbacks(self) -> Any:
        return [
            keras.callbacks.ModelCheckpoint(
                str(self.folder / "best.keras"), monitor="loss", save_best_only=True
            )
        ]


class DropoutAndPlateau(Plateau):
    """Two independent losses."""

    ways = {"keras": pair(causes=[("generators-reseeded", OMITTED), ("python-state-lost", None)])}

    def layers(self) -> Any:
        return [*super().layers(), keras.layers.Dropout(0.3)]


# `fit.py:ByHand_1` is the job `ByHand` in the second variant.
JOBS = [
    name
    for name, each in list(globals().items())
    if isinstance(each, type) and issubclass(each, Fit)
]
for _name in JOBS:
    for _number in range(len(VARIANTS)):
        globals()[f"{_name}_{_number}"] = partial(globals()[_name], _number)
