"""Defects planted in a custom training loop that is saved with `tf.train.Checkpoint`.

Each restore of `Loop` is a defect: a checkpoint without some parts, and changes before or after the
restore. One control saves all these checkpoints.
"""

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from ways import NEVER, NOT_APPLIED, OMITTED, OVERWRITTEN, RESTARTED, Way, clean, defect, pair

from ckptcheck import Step
from ckptcheck.adapters.tf2 import CheckpointJob
from ckptcheck.job import Restored

BATCH, STEPS, FEATURES, CLASSES = 16, 6, 12, 3

# Names, shapes, optimizers and schedules vary, so that no diagnosis can depend on one of them.
VARIANTS: tuple[dict[str, Any], ...] = (
    {
        "names": ("hidden", "norm", "drop", "mid", "out"),
        "units": 8,
        "optimizer": lambda: keras.optimizers.Adam(gradient_accumulation_steps=2),
        "setting": ("beta_1", 0.5),
        "rate": lambda step: 0.01 * 0.97**step,
    },
    {
        "names": ("a", "z_9", "noise", "q", "logits"),
        "units": 5,
        "optimizer": lambda: keras.optimizers.SGD(
            momentum=0.9, nesterov=True, gradient_accumulation_steps=2
        ),
        "setting": ("momentum", 0.4),
        "rate": lambda step: 0.1 if step < 17 else 0.02,
    },
    {
        "names": ("Encoder", "Standardise", "Mask", "Bridge", "Head"),
        "units": 7,
        "optimizer": lambda: keras.optimizers.RMSprop(
            momentum=0.5, rho=0.8, gradient_accumulation_steps=2
        ),
        "setting": ("rho", 0.99),
        "rate": lambda step: 0.004 * (1 + np.cos(step / 21 * np.pi)),
    },
)


class Loop(CheckpointJob):
    ways: Mapping[str, Way]
    steps_per_epoch = STEPS

    def __init__(self, variant: int = 0) -> None:
        self.variant = VARIANTS[variant]

    # --- The job ---

    def make_model(self) -> Any:
        first, norm, drop, mid, last = self.variant["names"]
        units = self.variant["units"]
        self.norm, self.drop = (
            keras.layers.BatchNormalization(momentum=0.9, name=norm),
            keras.layers.Dropout(0.2, name=drop),
        )
        self.first, self.mid = (
            keras.layers.Dense(units, name=first),
            keras.layers.Dense(units, name=mid),
        )
        hidden = [self.first, self.norm, keras.layers.Activation("tanh"), self.drop, self.mid]
        # A weight with the shape of `mid`'s.
        twin = keras.layers.Dense(units, "tanh", name=f"{mid}_twin")
        return keras.Sequential(
            [keras.Input((FEATURES,)), *hidden, twin, keras.layers.Dense(CLASSES, name=last)]
        )

    def setup(self) -> Any:
        draw = np.random.default_rng(3)
        self.x = draw.normal(size=(BATCH * STEPS, FEATURES)).astype("float32")
        self.y = draw.integers(0, CLASSES, BATCH * STEPS)
        self.model = self.make_model()
        self.optimizer = self.variant["optimizer"]()
        self.optimizer.build(self.model.trainable_variables)
        self.shadows = [
            tf.Variable(each.value, name=f"{each.path}_average", trainable=False)
            for each in self.weights()
        ]
        self.generator = tf.random.Generator.from_seed(5)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self.extra = tf.Variable(tf.zeros(3), trainable=False, name="extra")
        self.iterator = iter(self.data())
        self.training, self.factor, self.penalty, self.averaged = True, 1.0, 0.0, self.weights()
        self.function = self.update  # a few eager steps are faster than tracing a graph
        return self.checkpoint_of(self.parts())

    def data(self, skipped: Any = 0) -> Any:
        pairs = tf.data.Dataset.from_tensor_slices((self.x, self.encoded()))
        return pairs.skip(skipped).shuffle(BATCH * STEPS, seed=1).batch(BATCH).repeat()

    def encoded(self) -> Any:
        return self.y

    def weights(self) -> Any:
        return list(self.model.trainable_variables)

    def update(self, x: Any, y: Any, training: bool) -> Any:
        with tf.GradientTape() as tape:
            outputs = self.model(
                x + self.generator.normal(tf.shape(x), stddev=0.1), training=training
            )
            loss = tf.reduce_mean(
                keras.losses.sparse_categorical_crossentropy(y, outputs, from_logits=True)
            )
            loss += self.penalty * tf.reduce_sum(self.first.kernel**2)
        weights = self.weights()
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss

    def average(self) -> None:
        for shadow, weight in zip(self.shadows, self.averaged, strict=True):
            shadow.assign(0.9 * shadow + 0.1 * weight.value)

    def train(self, step: int) -> Step:
        x, y = next(self.iterator)
        rate = self.rate(step)
        self.optimizer.learning_rate.assign(rate)
        loss = self.function(x, y, training=self.training)
        self.average()
        self.extra.assign_add(tf.cast(tf.reduce_mean(x, axis=0)[:3], self.extra.dtype))
        self.step.assign_add(1)
        return Step(float(loss), [x.numpy(), y.numpy()], float(self.optimizer.learning_rate))

    def rate(self, step: int) -> float:
        return self.variant["rate"](step) * self.factor

    def evaluate(self) -> float:
        outputs = self.model(self.x, training=False)
        loss = keras.losses.sparse_categorical_crossentropy(
            self.encoded(), outputs, from_logits=True
        )
        return float(np.mean(loss)) + 1e-3 * float(sum(np.abs(each).sum() for each in self.shadows))

    # --- Checkpoints ---

    def parts(self) -> Any:
        accumulators = [each.value for each in self.optimizer._accumulated_gradients]
        known = {
            id(each)
            for each in (
                *accumulators,
                self.optimizer._iterations.value,
                self.optimizer._learning_rate.value,
            )
        }
        return {
            "weights": [each.value for each in self.model.trainable_variables],
            "statistics": [self.norm.moving_mean.value, self.norm.moving_variance.value],
            "slots": [
                each.value for each in self.optimizer.variables if id(each.value) not in known
            ],
            "iterations": self.optimizer._iterations.value,
            "rate": self.optimizer._learning_rate.value,
            "accumulators": accumulators,
            "shadows": self.shadows,
            "generator": self.generator,
            "seed": self.drop.seed_generator.state.value,
            "step": self.step,
            "extra": self.extra,
            "iterator": self.iterator,
        }

    def checkpoint_of(self, parts: Any, without: Any = ()) -> Any:
        return tf.train.Checkpoint(
            **{name: part for name, part in parts.items() if name not in without}
        )

    @property
    def restores(self) -> tuple[str, ...]:  # type: ignore[override]  # of a base that has an attribute
        return tuple(self.ways)

    def save(self, folder: Path, step: int) -> None:
        for without in dict.fromkeys(tuple(sorted(way.how[0])) for way in self.ways.values()):
            checkpoint = self.checkpoint_of(self.parts(), without)
            place = folder / ("-".join(without) or "whole")
            tf.train.CheckpointManager(checkpoint, str(place), max_to_keep=None).save(
                checkpoint_number=step
            )

    def restore(self, folder: Path, restore: str) -> Any:
        without, *changes = self.ways[restore].how
        self.place = Path(folder) / ("-".join(sorted(without)) or "whole")
        if changes and changes[0] is in_the_wrong_folder:
            return None
        before = [change for change in changes if change in BEFORE]
        for change in before:
            change(self)
        if before != [not_asking_for_statistics]:
            self.checkpoint = self.checkpoint_of(self.parts(), without)
        restored = super().restore(self.place, restore)
        assert restored is not None
        for change in changes:
            if change not in before:
                change(self)
        return Restored(restored.asked, restored.held, restored.values)


# --- Changes before or after the restore ---


def in_the_wrong_folder(job: Any) -> None:
    raise AssertionError("latest_checkpoint returned None there, and nobody asked")


def not_asking_for_statistics(job: Any) -> None:
    job.checkpoint = job.checkpoint_of(job.parts(), ("statistics",))


def truncating_the_data(job: Any) -> None:
    for each in job.place.glob("*.data-*"):
        each.write_bytes(each.read_bytes()[: each.stat().st_size // 2])


def initialising_statistics(job: Any) -> None:
    job.norm.moving_mean.assign(tf.zeros_like(job.norm.moving_mean.value))
    job.norm.moving_variance.assign(tf.ones_like(job.norm.moving_variance.value))


def averages_from_weights(job: Any) -> None:
    for shadow, weight in zip(job.shadows, job.weights(), strict=True):
        shadow.assign(weight.value)


def weights_from_averages(job: Any) -> None:
    for shadow, weight in zip(job.shadows, job.weights(), strict=True):
        weight.assign(shadow)


def reseeding(job: Any) -> None:
    job.generator.reset_from_seed(time.time_ns() % 10**9)


def taking_a_batch(job: Any) -> None:
    next(job.iterator)


def first_order_again(job: Any) -> None:
    job.iterator = iter(job.data())
    for _ in range(int(job.step) % STEPS):
        next(job.iterator)


def without_the_buffer(job: Any) -> None:
    job.iterator = iter(job.data(skipped=int(job.step) % STEPS * BATCH))


def nan_in_a_slot(job: Any) -> None:
    slot = next(each for each in reversed(job.parts()["slots"]) if each.shape.rank == 2)
    slot.assign(tf.tensor_scatter_nd_update(slot, [[0, 0]], [np.nan]))


def through_bfloat16(job: Any) -> None:
    for weight in job.weights():
        weight.assign(tf.cast(tf.cast(weight.value, tf.bfloat16), tf.float32))


def decaying(job: Any) -> None:
    for weight in job.weights():
        weight.assign(0.99 * weight.value)


def exchange(one: Any, other: Any) -> None:
    kept = np.array(one)
    one.assign(other)
    other.assign(kept)


def exchanging_weights(job: Any) -> None:
    exchange(
        *[
            each.value
            for each in job.model.trainable_variables
            if each.shape == job.mid.kernel.shape
        ][:2]
    )


def exchanging_slots(job: Any) -> None:
    slots = job.parts()["slots"]
    shapes = [tuple(each.shape) for each in slots]
    alike = next(shape for shape in shapes if len(shape) == 2 and shapes.count(shape) > 1)
    exchange(*[each for each in slots if tuple(each.shape) == alike][:2])


def exchanging_statistics(job: Any) -> None:
    exchange(job.norm.moving_mean.value, job.norm.moving_variance.value)


def other_data(job: Any) -> None:
    job.x = np.random.default_rng(77).normal(size=job.x.shape).astype("float32")
    job.iterator = iter(job.data())


def hidden_penalty(job: Any) -> None:
    """A hidden number in the program is added to the loss."""
    job.penalty = 1e-3


def other_setting(job: Any) -> None:
    name, value = job.variant["setting"]
    setattr(job.optimizer, name, value)


def other_rate(job: Any) -> None:
    job.factor = 0.5


def older_weights(job: Any) -> None:
    older = sorted(job.place.glob("*.index"), key=lambda each: int(each.stem.rpartition("-")[2]))[0]
    names = ("weights", "statistics", "slots", "accumulators", "shadows", "extra")
    checkpoint = tf.train.Checkpoint(**{name: job.parts()[name] for name in names})
    checkpoint.restore(str(older.with_suffix(""))).expect_partial()


def evaluation_mode(job: Any) -> None:
    job.training = False


def freezing(job: Any) -> None:
    job.mid.trainable = False


def raising(job: Any) -> None:
    def update(*arguments: Any, **named: Any) -> None:
        raise RuntimeError("no more of this")

    job.function = update


def other_dtype(job: Any) -> None:
    job.extra = tf.Variable(tf.cast(job.extra, tf.float64), trainable=False, name="extra")
    job.checkpoint.extra = None


def refusing(job: Any) -> None:
    raise ValueError("this checkpoint is of version 1, this program reads version 2")


BEFORE = (not_asking_for_statistics, truncating_the_data)


# restore → expected causes, parts left out of the checkpoint, *changes.
Loop.ways = {
    "whole": clean(()),
    "optimizer-left-out": defect(
        [("slots-lost", OMITTED), ("accumulators-lost", OMITTED), ("step-lost", OMITTED)],
        ("slots", "iterations", "accumulators"),
    ),
    "slots-left-out": defect([("slots-lost", OMITTED)], ("slots",)),
    "iterations-left-out": defect([("step-lost", OMITTED)], ("iterations",)),
    "step-left-out": defect([("step-lost", OMITTED)], ("step",)),
    "accumulators-left-out": defect([("accumulators-lost", OMITTED)], ("accumulators",)),
    "statistics-left-out": defect([("moving-statistics-lost", OMITTED)], ("statistics",)),
    "statistics-not-asked-for": defect(
        [("moving-statistics-lost", NOT_APPLIED)], (), not_asking_for_statistics
    ),
    "statistics-initialised": defect(
        [("moving-statistics-lost", OVERWRITTEN)], (), initialising_statistics
    ),
    "shadows-left-out": defect([("shadows-lost", OMITTED)], ("shadows",)),
    "shadows-from-weights": defect(
        [("shadows-lost", OMITTED)], ("shadows",), averages_from_weights
    ),
    "weights-from-shadows": defect([("shadows-in-weights", None)], (), weights_from_averages),
    "weights-left-out": defect([("weights-lost", OMITTED)], ("weights",)),
    "dropout-seed-left-out": defect(RESTARTED, ("seed",)),
    "generator-left-out": defect(RESTARTED, ("generator",)),
    "generator-reseeded": defect([("generators-reseeded", OVERWRITTEN)], (), reseeding),
    "iterator-left-out": defect([("data-restarted", None)], ("iterator",)),
    "batch-taken": defect([("data-shifted", None)], (), taking_a_batch),
    "first-order-again": defect([("data-order", None)], (), first_order_again),
    "buffer-lost": defect([("examples-lost", None)], (), without_the_buffer),
    "nan-in-a-slot": defect([("not-finite", OVERWRITTEN)], (), nan_in_a_slot),
    "through-bfloat16": defect([("precision-lost", OVERWRITTEN)], (), through_bfloat16),
    "decayed": defect([("weights-scaled", OVERWRITTEN)], (), decaying),
    "weights-exchanged": defect([("weights-swapped", None)], (), exchanging_weights),
    "slots-exchanged": defect([("slots-swapped", None)], (), exchanging_slots),
    "extra-left-out": defect([("state-lost", OMITTED)], ("extra",)),
    "other-setting": defect([("hyperparameters-differ", OMITTED)], (), other_setting),
    "other-rate": defect(
        [("learning-rate-differs", None)],
        (),
        other_rate,
        clean={"allow": ["learning-rate-differs"]},
    ),
    "statistics-exchanged": defect([("tensors-swapped", None)], (), exchanging_statistics),
    "other-data": defect([("batches-differ", None)], (), other_data),
    "hidden-penalty": defect([("unexplained", None)], (), hidden_penalty),
    "older-weights": defect([("older-checkpoint", None)], (), older_weights),
    "wrong-folder": defect([("nothing-restored", NOT_APPLIED)], (), in_the_wrong_folder),
    "evaluation-mode": defect([("mode-differs", None)], (), evaluation_mode),
    "frozen-layer": defect([("mode-differs", None)], (), freezing),
    "raises": defect([("resumed-run-raised", None)], (), raising),
    "other-dtype": defect([("tensors-missing", None)], (), other_dtype),
    "refuses": defect([("restore-raised", None)], (), refusing),
    "truncated": defect([("checkpoint-damaged", None)], (), truncating_the_data),
    "statistics-left-out-and-iterator-left-out": pair(("statistics", "iterator")),
    "slots-exchanged-and-dropout-seed-left-out": pair(("seed",), exchanging_slots),
    "through-bfloat16-and-batch-taken": pair((), through_bfloat16, taking_a_batch),
    "shadows-left-out-and-iterations-left-out": pair(("shadows", "iterations")),
    "generator-reseeded-and-accumulators-left-out": pair(("accumulators",), reseeding),
    "step-left-out-and-batch-taken": pair(("step",), taking_a_batch),
    "other-setting-and-statistics-initialised": pair((), other_setting, initialising_statistics),
}


# --- Defects of the control, and jobs that lose something by design


class NeverInTraining(Loop):
    """The model is always called in evaluation mode: no moving statistic is ever updated."""

    ways = {"whole": defect([("statistics-never-move", NEVER)], ())}

    def setup(self) -> Any:
        checkpoint = super().setup()
        self.training = False
        return checkpoint


class NeverAveraged(Loop):
    """The averages are created, but never updated."""

    ways = {"whole": defect([("shadows-never-move", NEVER)], ())}

    def average(self) -> None:
        pass


class SavesAverages(Loop):
    """The averages are swapped into the weights for the save, and stay there."""

    ways = {"whole": defect([("saving-changes-the-run", None)], ())}

    def save(self, folder: Path, step: int) -> None:
        weights_from_averages(self)
        super().save(folder, step)


class SavingDraws(Loop):
    """The save draws from the generator of the training."""

    ways = {"whole": defect([("saving-changes-the-run", None)], ())}

    def save(self, folder: Path, step: int) -> None:
        self.generator.normal((2,))
        super().save(folder, step)


class LayersInList(Loop):
    """tf.train.Checkpoint(model=…) does not track the layers that a Keras model keeps in a list."""

    ways = {"in-list": defect([("moving-statistics-lost", OMITTED), ("weights-lost", OMITTED)], ())}

    def make_model(self) -> Any:
        inner = super().make_model()

        class Blocks(keras.Model):
            def __init__(self) -> None:
                super().__init__()
                self.blocks = list(inner.layers)

            def call(self, x: Any, training: bool = False) -> Any:
                for block in self.blocks:
                    x = (
                        block(x, training=training)
                        if "training" in block._call_signature.parameters
                        else block(x)
                    )
                return x

        model = Blocks()
        model(tf.zeros((1, FEATURES)))
        return model

    def parts(self) -> Any:
        parts = super().parts()
        del parts["weights"], parts["statistics"]
        return parts | {"model": self.model}


class CountsItself(Loop):
    """The learning rate falls with a count that is an attribute."""

    ways = {"whole": defect([("python-state-lost", None)], ())}

    def setup(self) -> Any:
        self.count = 0
        return super().setup()

    def rate(self, step: int) -> float:
        self.count += 1
        return 0.05 * 0.95**self.count


class FirstUpdateCopies(Loop):
    """A flag decides whether the mean is copied, in the first update, or averaged, in later ones."""

    ways = {"whole": defect([("statistics-restarted", None)], ())}

    def setup(self) -> Any:
        self.initialised = False
        self.mean = tf.Variable(tf.zeros(FEATURES), trainable=False, name="inputs/moving_mean")
        return super().setup()

    def parts(self) -> Any:
        return super().parts() | {"mean": self.mean}

    def train(self, step: int) -> Step:
        done: Any = super().train(step)
        batch = done.batch[0].mean(axis=0)
        self.mean.assign(0.9 * self.mean + 0.1 * batch if self.initialised else batch)
        self.initialised = True
        return done

    def evaluate(self) -> float:
        return super().evaluate() + float(np.abs(self.mean).sum())


class LabelsBySet(Loop):
    """Numbers the classes in the order of a set."""

    ways = {"whole": defect([("depends-on-hash-order", None)], ())}
    names = ("cat", "dog", "horse", "heron", "newt", "toad")[:CLASSES]

    def encoded(self) -> Any:
        numbers = {name: number for number, name in enumerate(set(self.names))}
        return np.array([numbers[self.names[each]] for each in self.y])


class Unseeded(Loop):
    """The shuffle order has no seed: two uninterrupted runs differ."""

    ways = {"whole": defect([("noise", None)], ())}

    def train(self, step: int) -> Step:
        order = np.random.default_rng().permutation(BATCH * STEPS)
        x, y = self.x[order[:BATCH]], self.encoded()[order[:BATCH]]
        loss = self.function(x, y, training=self.training)
        self.step.assign_add(1)
        return Step(float(loss), [x, y])


class Jitters(Loop):
    """Clean: operations have no fixed order, so weights differ in their last bits in each run."""

    ways = {"whole": clean((), repeat=3)}

    def train(self, step: int) -> Step:
        done = super().train(step)
        noise = np.random.default_rng().normal(size=self.first.kernel.shape)
        self.first.kernel.assign(self.first.kernel.value * (1 + 1e-7 * noise))
        return done


class Deferred(Loop):
    """Clean: the optimizer's slots are created and restored in the first step."""

    ways = {"whole": clean(())}

    def setup(self) -> Any:
        checkpoint = super().setup()
        self.optimizer = self.variant["optimizer"]()
        self.optimizer.learning_rate.assign(self.rate(0))
        return self.checkpoint_of(self.parts()) if checkpoint else None

    def parts(self) -> Any:
        objects = {
            "model": self.model,
            "optimizer": self.optimizer,
            "seed": self.drop.seed_generator.state.value,
        }
        return objects | {
            name: getattr(self, name)
            for name in ("shadows", "generator", "step", "extra", "iterator")
        }


class Renamed(Loop):
    """Clean: layers have different names in the resumed process, which the checkpoint does not use."""

    ways = {"whole": clean(())}

    def build(self, seed: int) -> None:
        if seed:
            self.variant = self.variant | {
                "names": tuple(f"new_{name}" for name in self.variant["names"])
            }
        super().build(seed)


class AtTheEndOfAnEpoch(Loop):
    """Clean: saved exactly between two epochs."""

    ways = {"whole": clean(())}
    boundary_epochs = 2.0


# `loop.py:Loop_1` is the job `Loop` in the second variant.
JOBS = [
    name
    for name, each in list(globals().items())
    if isinstance(each, type) and issubclass(each, Loop)
]
for _name in JOBS:
    for _number in range(len(VARIANTS)):
        globals()[f"{_name}_{_number}"] = partial(globals()[_name], _number)
