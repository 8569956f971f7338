"""Defects planted in a TensorFlow 1 graph on digits, with batch norm by hand, averages and dropout.

Two kernels of one shape have no name, as in many scripts of that time. The dropout masks come from
a NumPy generator that is saved beside the checkpoint.

The author of these jobs and their expected causes knew the catalogue's sentences, but not the rules
that find causes. So the jobs test whether causes follow from evidence.
"""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from ways import NEVER, NOT_APPLIED, OMITTED, ONLY_TRAINABLES, OVERWRITTEN, Way, clean, defect, pair

from ckptcheck.adapters.tensorflow.contents import contents
from ckptcheck.adapters.tf1 import GraphJob, Network
from ckptcheck.job import POISON, Restored, RestoreRefusedError, Step
from ckptcheck.jobs.datasets import load

tf1 = tf.compat.v1

BATCH, STEPS, CLASSES = 16, 6, 10

# Names, shapes, optimizers and schedules vary, so that no diagnosis can depend on one of them.
VARIANTS: tuple[dict[str, Any], ...] = (
    {
        "names": ("conv", "norm", "hidden", "scores"),
        "convolution": True,
        "channels": 4,
        "units": 6,
        "average": "ExponentialMovingAverage",
        "optimizer": tf1.train.AdamOptimizer,
        "rate": lambda step: tf1.train.exponential_decay(0.02, step, 5, 0.8),
    },
    {
        "names": ("net/in", "net/bn", "net/mid", "out"),
        "convolution": False,
        "channels": 9,
        "units": 7,
        "average": "Polyak",
        "optimizer": lambda rate: tf1.train.MomentumOptimizer(rate, 0.9),
        "rate": lambda step: tf1.train.piecewise_constant(step, [16], [0.05, 0.01]),
    },
    {
        "names": ("Stem_1", "Stem_1/z", "W2", "Softmax"),
        "convolution": True,
        "channels": 5,
        "units": 8,
        "average": "slow_weights",
        "optimizer": lambda rate: tf1.train.RMSPropOptimizer(rate, momentum=0.5, centered=True),
        "rate": lambda step: tf1.train.cosine_decay(0.01, step, 24),
    },
)


class Images(GraphJob):
    """One control for all restores in `ways`: folder, variables to restore, and later changes."""

    ways: Mapping[str, Way]
    steps_per_epoch = STEPS

    def __init__(self, variant: int = 0) -> None:
        self.variant = VARIANTS[variant]
        self.factor = 1.0  # multiplies the learning rate
        self.digits = load("digits")
        self.masks = np.random.default_rng(3)

    # --- The job ---

    def build(self, seed: int) -> None:
        self.restarted = seed >= POISON
        super().build(seed)

    def network(self) -> Any:
        first, norm, middle, last = self.variant["names"]
        channels, units = self.variant["channels"], self.variant["units"]
        self.x = tf1.placeholder(tf.float32, [None, 8, 8, 1])
        self.y = tf1.placeholder(tf.int64, [None])
        self.training = tf1.placeholder(tf.bool, [])
        self.factor_fed = tf1.placeholder(tf.float32, [])
        step = tf1.train.create_global_step()
        if self.variant["convolution"]:
            net = tf.nn.conv2d(self.x, weight(f"{first}/kernel", [3, 3, 1, channels]), 2, "SAME")
        else:
            net = tf.reshape(self.x, [-1, 64]) @ weight(f"{first}/kernel", [64, channels])
        net = tf.nn.relu(self.normalised(net, norm))
        net = tf.tanh(dense(tf.reshape(net, [-1, int(np.prod(net.shape[1:]))]), units, middle))
        self.mask = self.dropout(step, [BATCH, units])
        self.one, self.two = self.unnamed([units, units])
        net = tf.tanh(tf.tanh(net * self.mask @ self.one) @ self.two)
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(self.y, dense(net, CLASSES, last))
        )
        rate = self.variant["rate"](step) * self.factor_fed
        optimizer = self.variant["optimizer"](rate)
        weights = tf1.trainable_variables()
        self.ema = tf1.train.ExponentialMovingAverage(0.9, name=self.variant["average"])
        with tf1.control_dependencies(self.updates()):
            update = optimizer.minimize(loss, step)
        with tf1.control_dependencies([update]):
            averaged = self.ema.apply(weights)
        self.step, self.optimizer = step, optimizer
        self.collect()
        self.savers = {
            place: tf1.train.Saver(self.held_in(place), save_relative_paths=True)
            for place in self.places()
        }
        return Network(
            loss, self.train_op(update, averaged), step, optimizer, rate, loss, ema=self.ema
        )

    def normalised(self, net: Any, name: str) -> Any:
        shape = [net.shape[-1]]
        mean, variance = tf.nn.moments(net, list(range(len(net.shape) - 1)))
        self.mean = tf1.get_variable(
            f"{name}/moving_mean", shape, initializer=tf1.zeros_initializer(), trainable=False
        )
        self.variance = tf1.get_variable(
            f"{name}/moving_variance", shape, initializer=tf1.ones_initializer(), trainable=False
        )
        self.moved = [
            tf1.assign(self.mean, 0.9 * self.mean + 0.1 * mean),
            tf1.assign(self.variance, 0.9 * self.variance + 0.1 * variance),
        ]
        gamma = tf1.get_variable(f"{name}/gamma", shape, initializer=tf1.ones_initializer())
        beta = tf1.get_variable(f"{name}/beta", shape, initializer=tf1.zeros_initializer())
        mean = tf.where(self.training, mean, self.mean)
        variance = tf.where(self.training, variance, self.variance)
        return tf.nn.batch_normalization(net, mean, variance, beta, gamma, 1e-3)

    def unnamed(self, shape: Any) -> Any:
        """Create two kernels named in order of creation: `Variable` and `Variable_1`."""
        return [tf1.Variable(tf1.glorot_uniform_initializer(seed)(shape)) for seed in (4, 5)]

    def dropout(self, step: int, shape: Any) -> Any:
        return tf1.placeholder(tf.float32, [None, shape[1]])

    def updates(self) -> Any:
        return self.moved

    def train_op(self, update: Any, averaged: Any) -> Any:
        return averaged

    def collect(self) -> None:
        pass

    def batch(self, step: int) -> Any:
        epoch, place = divmod(step, STEPS)
        order = np.random.default_rng((11, epoch)).permutation(BATCH * STEPS)
        rows = order[place * BATCH : (place + 1) * BATCH]
        return self.digits.train_images[rows], self.labels(self.digits.train_labels[rows])

    def labels(self, labels: Any) -> Any:
        return labels

    def new_mask(self) -> Any:
        return (self.masks.random((BATCH, self.variant["units"])) < 0.8).astype("float32") / 0.8

    def train_feed(self, batch: Any, step: int) -> Any:
        return {
            self.x: batch[0],
            self.y: batch[1],
            self.training: True,
            self.factor_fed: self.factor,
        }

    def masks_fed(self) -> Any:
        return {self.mask: self.new_mask()}

    def train(self, step: int) -> Step:
        batch = self.batch(step)
        wanted = [self.net.loss, self.net.learning_rate, self.mask, self.net.train_op]
        loss, rate, mask, _ = self.session.run(
            wanted, self.train_feed(batch, step) | self.masks_fed()
        )
        return Step(float(loss), batch, float(rate), draws=[mask])

    def validation_feed(self) -> Any:
        x, y = self.digits.validation_images[:64], self.labels(self.digits.validation_labels[:64])
        mask = np.ones((len(x), self.variant["units"]), "float32")
        return {self.x: x, self.y: y, self.training: False, self.factor_fed: 0.0, self.mask: mask}

    # --- Checkpoints ---

    @property
    def restores(self) -> tuple[str, ...]:
        return tuple(self.ways)

    def places(self) -> Any:
        """The folders that a save writes: those that some restore reads."""
        return dict.fromkeys(place for place, *_ in (way.how for way in self.ways.values()))

    def held_in(self, place: str) -> Any:
        """Return the variables that are saved into a folder."""
        if place == "trainable":
            return tf1.trainable_variables()
        left_out = {
            "without-statistics": [self.mean, self.variance],
            "without-step": [self.step],
            "without-slots": self.optimizer.variables(),
            "without-shadows": [self.ema.average(each) for each in tf1.trainable_variables()],
        }
        return list(but(all_variables(), *left_out.get(place, [])).values())

    def save(self, folder: Path, step: int) -> None:
        for place, saver in self.savers.items():
            (folder / place).mkdir(exist_ok=True)
            with self.graph.as_default():
                written = saver.save(
                    self.session, str(folder / place / "model.ckpt"), step, write_meta_graph=False
                )
            if place == "torn":
                data = Path(f"{written}.data-00000-of-00001")
                data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
            if place == "without-state-file":
                (folder / place / "checkpoint").unlink()
        (folder / "masks.json").write_text(json.dumps(self.masks.bit_generator.state))

    def restore(self, folder: Path, restore: str) -> Any:
        place, asking, *after = self.ways[restore].how
        self.folder = Path(folder) / place
        self.masks.bit_generator.state = json.loads((Path(folder) / "masks.json").read_text())
        self.prefix = tf1.train.latest_checkpoint(str(self.folder))
        if self.prefix is None:
            return None  # as in a new run, which also starts without one
        self.graph._unsafe_unfinalize()
        with self.graph.as_default():
            wanted = asking(self)
            asked = {variable.op.name: key for key, variable in wanted.items()}
            held, values = contents(tf.train.load_checkpoint(self.prefix))
            try:
                tf1.train.Saver(wanted).restore(self.session, self.prefix)
            except (tf.errors.OpError, ValueError) as error:
                raise RestoreRefusedError(error, asked=asked, held=held) from error
            for change in after:
                change(self)
        return Restored(asked, held, values)


def weight(name: str, shape: Any) -> Any:
    return tf1.get_variable(name, shape, initializer=tf1.glorot_uniform_initializer(seed=len(name)))


def dense(rows: Any, units: int, name: str) -> Any:
    bias = tf1.get_variable(f"{name}/bias", [units], initializer=tf1.zeros_initializer())
    return rows @ weight(f"{name}/kernel", [rows.shape[-1], units]) + bias


def all_variables() -> Any:
    return {variable.op.name: variable for variable in tf1.global_variables()}


def but(wanted: Any, *variables: Any) -> Any:
    names = {variable.op.name for variable in variables}
    return {name: variable for name, variable in wanted.items() if name not in names}


# --- Variables to restore, by checkpoint key ---


def all_of_it(job: Any) -> Any:
    return all_variables()


def what_is_there(job: Any) -> Any:
    return {variable.op.name: variable for variable in job.held_in(job.folder.name)}


def all_but_statistics(job: Any) -> Any:
    return but(all_variables(), job.mean, job.variance)


def averages(job: Any) -> Any:
    return job.ema.variables_to_restore()


def after_renaming(job: Any) -> Any:
    """A map by hand, in which one kernel has a key that was never saved."""
    old, new = f"{job.variant['names'][2]}/kernel", "renamed/kernel"
    return {new if key == old else key: variable for key, variable in all_variables().items()}


def slots_in_another_order(job: Any) -> Any:
    """The slots of two weights of the same shape change places."""
    wanted = all_variables()
    for name in job.optimizer.get_slot_names():
        one, two = (job.optimizer.get_slot(each, name) for each in (job.one, job.two))
        wanted |= {one.op.name: two, two.op.name: one}
    return wanted


# --- Changes after the restore ---


def initialise_all(job: Any) -> None:
    job.session.run(tf1.global_variables_initializer())


def initialise_statistics(job: Any) -> None:
    job.session.run(tf1.variables_initializer([job.mean, job.variance]))


def older_weights(job: Any) -> None:
    """Restores everything from an older checkpoint, and the step from the newest."""
    step = job.next_step()
    older = min(job.folder.glob("*.index"), key=lambda each: int(each.stem.rpartition("-")[2]))
    tf1.train.Saver().restore(job.session, str(older.with_suffix("")))
    job.step.load(step, job.session)


def other_rate(job: Any) -> None:
    job.factor = 0.3


def masks_restart(job: Any) -> None:
    job.masks = np.random.default_rng(3)


def masks_reseeded(job: Any) -> None:
    job.masks = np.random.default_rng(1732406400)  # a time stamp


def step_and_masks_recomputed(job: Any) -> None:
    """Clean: reads the step from the checkpoint's name, and draws the earlier masks again."""
    step = int(job.prefix.rpartition("-")[2])
    job.step.load(step, job.session)
    job.masks = np.random.default_rng(3)
    for _ in range(step):
        job.new_mask()


# --- One control, many restores ---

# restore → expected causes, folder of the checkpoint, variables to restore, *changes.
Images.ways = {
    "whole": clean("whole", all_of_it),
    "recomputed": clean("without-step", what_is_there, step_and_masks_recomputed),
    "saver-over-trainables": defect(ONLY_TRAINABLES, "trainable", what_is_there),
    "statistics-not-saved": defect(
        [("moving-statistics-lost", OMITTED)], "without-statistics", what_is_there
    ),
    "statistics-not-asked-for": defect(
        [("moving-statistics-lost", NOT_APPLIED)], "whole", all_but_statistics
    ),
    "statistics-initialised": defect(
        [("moving-statistics-lost", OVERWRITTEN)], "whole", all_of_it, initialise_statistics
    ),
    "averages-for-training": defect(
        [("shadows-in-weights", None), ("shadows-lost", NOT_APPLIED)], "whole", averages
    ),
    "averages-not-saved": defect(
        [("shadows-not-in-checkpoint", None)], "without-shadows", averages
    ),
    "shadows-not-saved": defect([("shadows-lost", OMITTED)], "without-shadows", what_is_there),
    "slots-not-saved": defect([("slots-lost", OMITTED)], "without-slots", what_is_there),
    "slots-exchanged": defect([("slots-swapped", None)], "whole", slots_in_another_order),
    "step-not-saved": defect([("step-lost", OMITTED)], "without-step", what_is_there),
    "renamed": defect([("keys-not-in-checkpoint", None)], "whole", after_renaming),
    "initialised-after": defect(
        [("initialised-again", OVERWRITTEN)], "whole", all_of_it, initialise_all
    ),
    "state-file-missing": defect([("nothing-restored", None)], "without-state-file", all_of_it),
    "older": defect([("older-checkpoint", None)], "whole", all_of_it, older_weights),
    "torn": defect([("checkpoint-damaged", None)], "torn", all_of_it),
    "other-rate": defect([("learning-rate-differs", None)], "whole", all_of_it, other_rate),
    "masks-restart": defect([("generators-restarted", None)], "whole", all_of_it, masks_restart),
    "masks-reseeded": defect([("generators-reseeded", None)], "whole", all_of_it, masks_reseeded),
    "statistics-not-asked-for-and-masks-restart": pair("whole", all_but_statistics, masks_restart),
    "slots-exchanged-and-other-rate": pair("whole", slots_in_another_order, other_rate),
    "shadows-not-saved-and-masks-reseeded": pair("without-shadows", what_is_there, masks_reseeded),
    "averages-for-training-and-statistics-initialised": pair(
        "whole", averages, initialise_statistics
    ),
}


# --- Jobs that lose something by design ---


class NoUpdates(Images):
    """The update ops of the moving statistics never run."""

    ways = {"whole": defect([("statistics-never-move", NEVER)], "whole", all_of_it)}

    def updates(self) -> Any:
        return []


class NeverAveraged(Images):
    """The op that averages the weights never runs."""

    ways = {"whole": defect([("shadows-never-move", NEVER)], "whole", all_of_it)}

    def train_op(self, update: Any, averaged: Any) -> Any:
        return update


class SwapsForSaving(Images):
    """The averages are swapped into the weights for the save, and stay there."""

    ways = {"whole": defect([("saving-changes-the-run", None)], "whole", all_of_it)}

    def collect(self) -> None:
        self.swap = [tf1.assign(each, self.ema.average(each)) for each in tf1.trainable_variables()]

    def save(self, folder: Path, step: int) -> None:
        self.session.run(self.swap)
        super().save(folder, step)


class Decays(Images):
    """The program itself lowers the learning rate in each step."""

    ways = {"whole": defect([("python-state-lost", None)], "whole", all_of_it)}

    def train(self, step: int) -> Step:
        done = super().train(step)
        self.factor *= 0.95
        return done


class CountsEpochs(Images):
    """The learning rate depends on an epoch count that is an attribute."""

    ways = {"whole": defect([("python-state-lost", None)], "whole", all_of_it)}

    def __init__(self, variant: int = 0) -> None:
        super().__init__(variant)
        self.epochs = 0

    def train(self, step: int) -> Step:
        self.factor = 0.5**self.epochs
        done = super().train(step)
        self.epochs += (step + 1) % STEPS == 0
        return done


class WaitsForLoss(Images):
    """A plateau rule by hand, whose best loss, patience and cuts are not saved."""

    ways = {"whole": defect([("python-state-lost", None)], "whole", all_of_it)}

    def __init__(self, variant: int = 0) -> None:
        super().__init__(variant)
        self.best, self.waited, self.cuts = 1e9, 0, 0

    def train(self, step: int) -> Step:
        self.factor = 0.5**self.cuts
        done = super().train(step)
        fell = done.loss < self.best - 0.2
        self.best, self.waited = (done.loss, 0) if fell else (self.best, self.waited + 1)
        if self.waited == 4:
            self.cuts, self.waited = self.cuts + 1, 0
        return done


class ByOpSeed(Images):
    """Dropout from an op with a fixed seed, which restarts in each session."""

    ways = {"whole": defect([("generators-restarted", None)], "whole", all_of_it)}

    def dropout(self, step: int, shape: Any) -> Any:
        draw = tf1.random_uniform(shape, seed=self.seed_of_op())
        return tf1.placeholder_with_default(tf.cast(draw < 0.8, tf.float32) / 0.8, [None, shape[1]])

    def seed_of_op(self) -> Any:
        return 9

    def masks_fed(self) -> Any:
        return {}


class ByClock(ByOpSeed):
    """The same, with a seed from the clock."""

    ways = {"whole": defect([("generators-reseeded", None)], "whole", all_of_it)}

    def seed_of_op(self) -> Any:
        return 1732406400 if self.restarted else 1732400000


class Renamed(Images):
    """A layer has a different name in the restarted script."""

    ways = {"whole": defect([("keys-not-in-checkpoint", None)], "whole", all_of_it)}

    def build(self, seed: int) -> None:
        if seed >= POISON:
            first, norm, _, last = self.variant["names"]
            self.variant = self.variant | {"names": (first, norm, "renamed", last)}
        super().build(seed)


class InAnotherOrder(Images):
    """A restarted script creates two unnamed kernels in a different order: they swap values.

    The state names a kernel after its use, not after the name that TensorFlow gives it.
    """

    ways = {"whole": defect([("weights-swapped", None)], "whole", all_of_it)}

    def unnamed(self, shape: Any) -> Any:
        one, two = super().unnamed(shape)
        return (two, one) if self.restarted else (one, two)

    def by_use(self, named: Any) -> Any:
        use = {self.one.op.name: "one", self.two.op.name: "two"}
        parts = ((name.partition("/"), value) for name, value in named.items())
        return {
            use.get(first, first) + slash + rest: value for (first, slash, rest), value in parts
        }

    def state(self) -> dict[str, Any]:
        return self.by_use(super().state())

    def restore(self, folder: Path, restore: str) -> Any:
        restored = super().restore(folder, restore)
        return Restored(self.by_use(restored.asked), restored.held, restored.values)


class LabelsBySet(Images):
    """Numbers the classes in the order of a set."""

    ways = {"whole": defect([("depends-on-hash-order", None)], "whole", all_of_it)}
    names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

    def labels(self, labels: Any) -> Any:
        numbers = {name: number for number, name in enumerate(set(self.names))}
        return np.array([numbers[self.names[each]] for each in labels])


class TrainableCollection(Images):
    """Clean: the Saver covers the trainable variables, and that collection holds the whole state."""

    ways = {"trainable": clean("trainable", what_is_there)}

    def collect(self) -> None:
        known = {variable.op.name for variable in tf1.trainable_variables()}
        for name, variable in all_variables().items():
            if name not in known:
                tf1.add_to_collection(tf1.GraphKeys.TRAINABLE_VARIABLES, variable)


class MasksByStep(Images):
    """Clean: the mask depends on the global step, so there is no generator to save."""

    ways = {"whole": clean("whole", all_of_it)}

    def dropout(self, step: int, shape: Any) -> Any:
        draw = tf.random.stateless_uniform(shape, [7, tf.cast(step, tf.int32)])
        return tf1.placeholder_with_default(tf.cast(draw < 0.8, tf.float32) / 0.8, [None, shape[1]])

    def masks_fed(self) -> Any:
        return {}


# `images.py:Images_1` is the job `Images` in the second variant.
JOBS = [
    name
    for name, each in list(globals().items())
    if isinstance(each, type) and issubclass(each, Images)
]
for _name in JOBS:
    for _number in range(len(VARIANTS)):
        globals()[f"{_name}_{_number}"] = partial(globals()[_name], _number)
