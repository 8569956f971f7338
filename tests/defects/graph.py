"""Defects planted in a TensorFlow 1 graph: what a Saver saves and restores, and what runs later."""

import itertools
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

tf1 = tf.compat.v1

BATCH, STEPS, FEATURES, CLASSES = 16, 6, 10, 3

# Names, shapes, optimizers and schedules vary, so that no diagnosis can depend on one of them.
VARIANTS: tuple[dict[str, Any], ...] = (
    {
        "names": ("first", "twin", "last"),
        "units": 6,
        "optimizer": lambda rate, setting: tf1.train.AdamOptimizer(rate, beta1=setting),
        "settings": (0.9, 0.5),
        "rate": lambda step: 0.02 * 0.97**step,
    },
    {
        "names": ("net/a", "net/b", "top"),
        "units": 5,
        "optimizer": lambda rate, setting: tf1.train.MomentumOptimizer(rate, momentum=setting),
        "settings": (0.9, 0.3),
        "rate": lambda step: 0.1 if step < 17 else 0.02,
    },
    {
        "names": ("Encoder_1", "Encoder_2", "Softmax"),
        "units": 7,
        "optimizer": lambda rate, setting: tf1.train.RMSPropOptimizer(
            rate, decay=setting, momentum=0.5
        ),
        "settings": (0.9, 0.6),
        "rate": lambda step: 0.005 * (1 + np.cos(step / 21 * np.pi)),
    },
)


class Graph(GraphJob):
    ways: Mapping[str, Way]
    steps_per_epoch = STEPS

    def __init__(self, variant: int = 0) -> None:
        self.variant = VARIANTS[variant]
        self.factor = 1.0

    # --- The job ---

    def build(self, seed: int) -> None:
        self.restarted = seed >= POISON
        super().build(seed)
        self.graph._unsafe_unfinalize()
        with self.graph.as_default():
            places = dict.fromkeys(place for place, *_ in (way.how for way in self.ways.values()))
            self.savers = {
                place: tf1.train.Saver(self.in_place(place), save_relative_paths=True)
                for place in places
            }
        self.graph.finalize()

    def network(self) -> Any:
        first, twin, last = self.variant["names"]
        self.x = tf1.placeholder(tf.float32, [None, FEATURES])
        self.y = tf1.placeholder(tf.int64, [None])
        self.training = tf1.placeholder(tf.bool, [])
        self.rate_fed = tf1.placeholder(tf.float32, [])
        step = tf1.train.create_global_step()
        units = self.variant["units"]
        net = tf.tanh(self.normalised(self.dense(self.x, units, first)))
        self.mask = self.random(step, [BATCH, units])
        net = tf.cond(self.training, lambda: net * self.mask, lambda: net)
        scores = self.dense(tf.tanh(self.dense(net, units, twin)), CLASSES, last)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(self.y, scores))
        optimizer = self.variant["optimizer"](
            self.rate_fed, self.variant["settings"][self.other_settings()]
        )
        weights = tf1.trainable_variables()
        self.ema = tf1.train.ExponentialMovingAverage(0.9)
        with tf1.control_dependencies(self.updates()):
            update = optimizer.minimize(loss, step, var_list=weights)
        with tf1.control_dependencies([update]):
            train_op = self.ema.apply(weights)
        self.shadows = [self.ema.average(each) for each in weights]
        return Network(loss, train_op, step, optimizer, self.rate_fed, loss, ema=self.ema)

    def dense(self, rows: Any, units: int, name: str) -> Any:
        with tf1.variable_scope(name):
            kernel = tf1.get_variable(
                "kernel",
                [rows.shape[-1], units],
                initializer=tf1.glorot_uniform_initializer(seed=1),
            )
            return tf.matmul(rows, kernel) + tf1.get_variable(
                "bias", [units], initializer=tf1.zeros_initializer()
            )

    def normalised(self, net: Any) -> Any:
        shape = [net.shape[-1]]
        mean, variance = tf.nn.moments(net, 0)
        self.mean = tf1.get_variable(
            "norm/moving_mean", shape, initializer=tf1.zeros_initializer(), trainable=False
        )
        self.variance = tf1.get_variable(
            "norm/moving_variance", shape, initializer=tf1.ones_initializer(), trainable=False
        )
        self.moved = [
            tf1.assign(self.mean, 0.9 * self.mean + 0.1 * mean),
            tf1.assign(self.variance, 0.9 * self.variance + 0.1 * variance),
        ]
        mean, variance = tf.cond(
            self.training, lambda: (mean, variance), lambda: (self.mean + 0.0, self.variance + 0.0)
        )
        return tf.nn.batch_normalization(net, mean, variance, None, None, 1e-3)

    def updates(self) -> Any:
        return self.moved

    def other_settings(self) -> Any:
        return False

    def random(self, step: int, shape: Any) -> Any:
        return 1 + 0.2 * tf.random.stateless_normal(shape, [7, tf.cast(step, tf.int32)])

    def batch(self, step: int) -> Any:
        draw = np.random.default_rng((11, step))
        x = draw.normal(size=(BATCH, FEATURES)).astype("float32")
        return x, (x.sum(1) > 0).astype("int64") + (x[:, 0] > 1)

    def rate(self, step: int) -> float:
        return self.variant["rate"](step) * self.factor

    def train_feed(self, batch: Any, step: int) -> Any:
        return {
            self.x: batch[0],
            self.y: batch[1],
            self.training: True,
            self.rate_fed: self.rate(step),
        }

    def validation_feed(self) -> Any:
        x, y = self.batch(1000)
        return {self.x: x, self.y: y, self.training: False, self.rate_fed: 0.0}

    # --- Checkpoints ---

    @property
    def restores(self) -> tuple[str, ...]:
        return tuple(self.ways)

    def save(self, folder: Path, step: int) -> None:
        for place, saver in self.savers.items():
            (folder / place).mkdir(exist_ok=True)
            with self.graph.as_default():
                saver.save(
                    self.session, str(folder / place / "model.ckpt"), step, write_meta_graph=False
                )

    def restore(self, folder: Path, restore: str) -> Any:
        place, asking, *changes = self.ways[restore].how
        self.place = Path(folder) / place
        self.graph._unsafe_unfinalize()
        with self.graph.as_default():
            for change in changes:
                if change in BEFORE:
                    change(self)
            prefix = tf1.train.latest_checkpoint(str(self.place))
            if prefix is None:
                return None
            wanted = asking(self, place)
            asked = {variable.op.name: key for key, variable in wanted.items()}
            held, values = contents(tf.train.load_checkpoint(prefix))
            try:
                tf1.train.Saver(wanted).restore(self.session, prefix)
            except (tf.errors.OpError, ValueError) as error:
                raise RestoreRefusedError(error, asked=asked, held=held) from error
            for change in changes:
                if change not in BEFORE:
                    change(self)
        return Restored(asked, held, values)

    def everything(self) -> Any:
        return {variable.op.name: variable for variable in tf1.global_variables()}

    def without(self, *variables: Any) -> Any:
        names = {variable.op.name for variable in variables}
        return {name: variable for name, variable in self.everything().items() if name not in names}

    def in_place(self, place: str) -> Any:
        """Return the variables that are saved into a folder."""
        if place == "trainable":
            return {variable.op.name: variable for variable in tf1.trainable_variables()}
        left_out = {
            "without-statistics": [self.mean, self.variance],
            "without-step": [self.net.global_step],
            "without-shadows": self.shadows,
            "without-slots": self.net.optimizer.variables(),
        }
        return self.without(*left_out.get(place, ()))


# --- Variables to restore ---


def what_is_there(job: Any, place: str) -> Any:
    return job.in_place(place)


def no_statistics(job: Any, place: str) -> Any:
    return job.without(job.mean, job.variance)


def averages(job: Any, place: str) -> Any:
    return job.ema.variables_to_restore()


def another_name(job: Any, place: str) -> Any:
    wanted = job.everything()
    name = job.mean.op.name
    return {f"{name}_1" if key == name else key: variable for key, variable in wanted.items()}


def another_shape(job: Any, place: str) -> Any:
    """A kernel has the key of a kernel with a different shape."""
    first, _, last = (f"{name}/kernel" for name in job.variant["names"])
    return _exchanged(job.everything(), first, last)


def _exchanged(wanted: Any, one: Any, other: Any) -> Any:
    return wanted | {one: wanted[other], other: wanted[one]}


def weights_by_position(job: Any, place: str) -> Any:
    """Two kernels of the same shape, with their slots, change places."""
    wanted = job.everything()
    alike = [each for each in tf1.trainable_variables() if each.shape == [job.variant["units"]]]
    one, other = (each.op.name for each in alike[:2])
    for name in [each for each in wanted if each.startswith(one)]:
        wanted = _exchanged(wanted, name, other + name.removeprefix(one))
    return wanted


def slots_by_position(job: Any, place: str) -> Any:
    slots = [each for each in job.net.optimizer.variables() if each.shape.rank == 1]
    alike = next(
        pair for pair in itertools.combinations(slots, 2) if pair[0].shape == pair[1].shape
    )
    return _exchanged(job.everything(), *(each.op.name for each in alike))


# --- Changes before or after the restore ---


def losing_the_state_file(job: Any) -> None:
    (job.place / "checkpoint").unlink()


def truncating(job: Any) -> None:
    for each in job.place.glob("*.data-*"):
        each.write_bytes(each.read_bytes()[:-40])


def initialising(job: Any) -> None:
    job.session.run(tf1.global_variables_initializer())


def initialising_statistics(job: Any) -> None:
    job.session.run(tf1.variables_initializer([job.mean, job.variance]))


def older_but_for_the_step(job: Any) -> None:
    older = sorted(job.place.glob("*.index"), key=lambda each: int(each.stem.rpartition("-")[2]))[0]
    tf1.train.Saver(job.without(job.net.global_step)).restore(
        job.session, str(older.with_suffix(""))
    )


def other_rate(job: Any) -> None:
    job.factor = 0.5


BEFORE = (losing_the_state_file, truncating)

# restore → expected causes, folder of the checkpoint, variables to restore, *changes.
Graph.ways = {
    "whole": clean("whole", what_is_there),
    "saver-over-trainable": defect(ONLY_TRAINABLES, "trainable", what_is_there),
    "statistics-not-saved": defect(
        [("moving-statistics-lost", OMITTED)], "without-statistics", what_is_there
    ),
    "statistics-not-asked-for": defect(
        [("moving-statistics-lost", NOT_APPLIED)], "whole", no_statistics
    ),
    "statistics-initialised": defect(
        [("moving-statistics-lost", OVERWRITTEN)], "whole", what_is_there, initialising_statistics
    ),
    "averages-as-weights": defect(
        [("shadows-in-weights", None), ("shadows-lost", NOT_APPLIED)], "whole", averages
    ),
    "averages-not-saved": defect(
        [("shadows-not-in-checkpoint", None)], "without-shadows", averages
    ),
    "shadows-not-saved": defect([("shadows-lost", OMITTED)], "without-shadows", what_is_there),
    "slots-not-saved": defect([("slots-lost", OMITTED)], "without-slots", what_is_there),
    "step-not-saved": defect([("step-lost", OMITTED)], "without-step", what_is_there),
    "another-name": defect([("keys-not-in-checkpoint", None)], "whole", another_name),
    "other-shape": defect([("resumed-run-raised", None)], "whole", another_shape),
    "weights-by-position": defect([("weights-swapped", None)], "whole", weights_by_position),
    "slots-by-position": defect([("slots-swapped", None)], "whole", slots_by_position),
    "initialised-after": defect(
        [("initialised-again", OVERWRITTEN)], "whole", what_is_there, initialising
    ),
    "state-file-lost": defect(
        [("nothing-restored", NOT_APPLIED)], "whole", what_is_there, losing_the_state_file
    ),
    "truncated": defect([("checkpoint-damaged", None)], "whole", what_is_there, truncating),
    "older": defect([("older-checkpoint", None)], "whole", what_is_there, older_but_for_the_step),
    "other-rate": defect([("learning-rate-differs", None)], "whole", what_is_there, other_rate),
    "statistics-not-asked-for-and-other-rate": pair("whole", no_statistics, other_rate),
    "slots-by-position-and-statistics-initialised": pair(
        "whole", slots_by_position, initialising_statistics
    ),
    "shadows-not-saved-and-other-rate": pair("without-shadows", what_is_there, other_rate),
}


# --- Jobs that lose something by design ---


class NoUpdates(Graph):
    """The update ops of the moving averages never run."""

    ways = {"whole": defect([("statistics-never-move", NEVER)], "whole", what_is_there)}

    def updates(self) -> Any:
        return []


class CountsItself(Graph):
    """The program itself lowers the learning rate."""

    ways = {"whole": defect([("python-state-lost", None)], "whole", what_is_there)}
    decayed = 0.1

    def __init__(self, variant: int = 0) -> None:
        super().__init__(variant)
        self.current = 0.1

    def rate(self, step: int) -> float:
        return self.current

    def train(self, step: int) -> Step:
        done = super().train(step)
        self.current *= 0.95
        return done


class Stream(Graph):
    """The mask comes from a random op with a fixed seed, which restarts in a new session."""

    ways = {"whole": defect([("generators-restarted", None)], "whole", what_is_there)}

    def random(self, step: int, shape: Any) -> Any:
        return 1 + 0.2 * tf1.random_normal(shape, seed=self.seed_of_mask())

    def seed_of_mask(self) -> Any:
        return 5

    def train(self, step: int) -> Step:
        batch = self.batch(step)
        loss, mask, _ = self.session.run(
            [self.net.loss, self.mask, self.net.train_op], self.train_feed(batch, step)
        )
        return Step(float(loss), batch, self.rate(step), draws=[mask])


class StreamSeededFromOutside(Stream):
    """The same, with a different seed in each process."""

    ways = {"whole": defect([("generators-reseeded", None)], "whole", what_is_there)}

    def seed_of_mask(self) -> Any:
        return 6 if self.restarted else 5


class FeaturesBySet(Graph):
    """Columns follow the order of a set."""

    ways = {"whole": defect([("depends-on-hash-order", None)], "whole", what_is_there)}
    names = tuple("abcdefghij")

    def batch(self, step: int) -> Any:
        x, y = super().batch(step)
        return np.ascontiguousarray(x[:, [self.names.index(name) for name in set(self.names)]]), y


class OtherSettings(Graph):
    """A restarted script creates its optimizer with a different setting."""

    ways = {"whole": defect([("hyperparameters-differ", OMITTED)], "whole", what_is_there)}

    def other_settings(self) -> Any:
        return self.restarted


class TrainableCollection(Graph):
    """Clean: the Saver covers the trainable variables, and that collection holds the whole state."""

    ways = {"trainable": clean("trainable", what_is_there)}

    def network(self) -> Any:
        made = super().network()
        known = {variable.op.name for variable in tf1.trainable_variables()}
        for variable in tf1.global_variables():
            if variable.op.name not in known:
                tf1.add_to_collection(tf1.GraphKeys.TRAINABLE_VARIABLES, variable)
        return made


class Recomputed(Graph):
    """Clean: the step is not saved, but read from the name of the checkpoint."""

    ways = {"without-step": clean("without-step", what_is_there)}

    def restore(self, folder: Path, restore: str) -> Any:
        restored = super().restore(folder, restore)
        prefix = tf1.train.latest_checkpoint(str(self.place))
        with self.graph.as_default():
            self.net.global_step.load(int(prefix.rpartition("-")[2]), self.session)
        return restored


class AtTheEndOfAnEpoch(Graph):
    """Clean: saved exactly between two epochs."""

    ways = {"whole": clean("whole", what_is_there)}
    boundary_epochs = 2.0


# `graph.py:Graph_1` is the job `Graph` in the second variant.
JOBS = [
    name
    for name, each in list(globals().items())
    if isinstance(each, type) and issubclass(each, Graph)
]
for _name in JOBS:
    for _number in range(len(VARIANTS)):
        globals()[f"{_name}_{_number}"] = partial(globals()[_name], _number)
