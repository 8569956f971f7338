"""Jobs that people wrote, each with one fault, and siblings of it on other layers and optimizers.

`FAULTS` names what each must show; every job is a job of `tests.trials.base` with one change.
"""

import collections
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ckptcheck import Step
from ckptcheck.job.protocol import Restored
from tests.trials.base import C, F, K, X, Y

OMITTED, NOT_APPLIED = "omitted at save", "not applied at load"
OVERWRITTEN, NEVER = "overwritten after load", "never live"

# Job and restore, the diagnoses with their stages.
FAULTS: dict[tuple[str, str], list[tuple[str, str | None]]] = {}


def shows(*found: tuple[str, str | None], restore: str = "checkpoint") -> Any:
    """Note what a job must show with one of its restores."""

    def note(job: Any) -> Any:
        FAULTS[job.__name__, restore] = list(found)
        return job

    return note


def net(*layers: Any) -> Any:
    return keras.Sequential([keras.Input((4,)), *(layers or (K.Dense(3, "tanh"), K.Dense(1)))])


# --- Integers that TensorFlow counts as trained, and slots that are made late ----------------------


@shows(("step-lost", OMITTED))
class CountsForItself(C):
    start: Any = 0

    def more(self) -> dict[str, Any]:
        self.count = tf.Variable(self.start)
        return {}

    def train(self, step: int) -> Step:
        self.count.assign_add(tf.ones_like(self.count))
        return super().train(step)


@shows(("step-lost", OMITTED))
class CountsInSixtyFourBits(CountsForItself):
    start = tf.constant(0, tf.int64)


@shows(("step-lost", OMITTED))
class CountsUnsigned(CountsForItself):
    start = tf.constant(0, tf.uint32)


@shows(("state-lost", OMITTED))
class CountsEachBatch(CountsForItself):
    start = tf.zeros(8, tf.int32)


@shows(("step-lost", OMITTED), ("slots-lost", OMITTED))
class LosesCountAndSlots(C):
    optimizer: Any = keras.optimizers.Adam

    def setup(self) -> Any:
        self.net, self.opt, self.step = net(), self.optimizer(0.01), tf.Variable(0)
        return tf.train.Checkpoint(net=self.net)

    def train(self, step: int) -> Step:
        self.step.assign_add(1)
        return super().train(step)


@shows(("step-lost", OMITTED), ("slots-lost", OMITTED))
class LosesCountAndSlotsOfLion(LosesCountAndSlots):
    optimizer = keras.optimizers.Lion


@shows(("step-lost", OMITTED), ("slots-lost", OMITTED), ("weights-lost", OMITTED))
class LosesALayerToo(LosesCountAndSlots):
    def setup(self) -> Any:
        super().setup()
        return tf.train.Checkpoint(layer=self.net.layers[0])


# --- Single numbers ---------------------------------------------------------------------------------


@shows(("shadows-in-weights", None))
class PutsAveragesIntoWeights(C):
    called = "ema/{}"

    def more(self) -> dict[str, Any]:
        names = map(self.called.format, range(4))
        weights = zip(names, self.net.trainable_variables, strict=True)
        self.ema = [tf.Variable(each, trainable=False, name=name) for name, each in weights]
        return {"ema": self.ema}

    def train(self, step: int) -> Step:
        result = super().train(step)
        for average, weight in zip(self.ema, self.net.trainable_variables, strict=True):
            average.assign(0.9 * average + 0.1 * weight)
        return result

    def restore(self, folder: Path, restore: str) -> Restored | None:
        restored = super().restore(folder, restore)
        for average, weight in zip(self.ema, self.net.trainable_variables, strict=True):
            weight.assign(average)
        return restored


@shows(("shadows-in-weights", None))
class PutsPolyakIntoWeights(PutsAveragesIntoWeights):
    called = "polyak_{}"


@shows(("shadows-in-weights", None))
class PutsShadowsIntoWeights(PutsAveragesIntoWeights):
    called = "shadow/weight_{}"


@shows(("weights-scaled", OVERWRITTEN))
class DecaysInTheRestore(C):
    factor = 0.99

    def restore(self, folder: Path, restore: str) -> Restored | None:
        restored = super().restore(folder, restore)
        for weight in self.net.trainable_variables:
            weight.assign(weight * self.factor)
        return restored


@shows(("weights-scaled", OVERWRITTEN))
class NegatesInTheRestore(DecaysInTheRestore):
    factor = -1.5


@shows(("weights-scaled", OVERWRITTEN))
class DecaysByLittle(DecaysInTheRestore):
    factor = 1 - 1e-4


# --- Stages -----------------------------------------------------------------------------------------


@shows(("state-lost", OVERWRITTEN))
class AdaptsAfterTheRestore(C):
    def more(self) -> dict[str, Any]:
        self.norm = K.Normalization()
        self.norm.adapt(X[:16])
        return {"norm": self.norm}

    def train(self, step: int) -> Step:
        x, y = self.batch(step)
        weights = self.net.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.net(self.norm(x)) - y) ** 2)
        self.opt.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return Step(loss, batch=[x, y])

    def evaluate(self) -> Any:
        return tf.reduce_mean((self.net(self.norm(X)) - Y) ** 2)

    def restore(self, folder: Path, restore: str) -> Restored | None:
        restored = super().restore(folder, restore)
        self.norm.adapt(X[16:])
        return restored


@shows(("moving-statistics-lost", OVERWRITTEN))
class MovesStatisticsAfterTheRestore(C):
    def setup(self) -> Any:
        self.net = net(K.Dense(3, "tanh"), K.BatchNormalization(), K.Dense(1))
        self.opt = keras.optimizers.SGD(0.05)
        self.opt.build(self.net.trainable_variables)
        return tf.train.Checkpoint(net=self.net, opt=self.opt)

    def train(self, step: int) -> Step:
        x, y = self.batch(step)
        weights = self.net.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.net(x, training=True) - y) ** 2)
        self.opt.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return Step(loss, batch=[x, y])

    def restore(self, folder: Path, restore: str) -> Restored | None:
        restored = super().restore(folder, restore)
        self.net(X[:8], training=True)
        return restored


@shows(("precision-lost", OMITTED))
class SavesInHalf(C):
    dtype: Any = tf.bfloat16

    def save(self, folder: Path, step: int) -> None:
        weights = self.net.trainable_variables
        kept = [tf.identity(weight) for weight in weights]
        for weight in weights:
            weight.assign(tf.cast(tf.cast(weight, self.dtype), tf.float32))
        super().save(folder, step)
        for weight, value in zip(weights, kept, strict=True):
            weight.assign(value)


@shows(("precision-lost", OMITTED))
class SavesInFloat16(SavesInHalf):
    dtype = tf.float16


@shows(("precision-lost", OVERWRITTEN))
class LoadsInHalf(C):
    def restore(self, folder: Path, restore: str) -> Restored | None:
        restored = super().restore(folder, restore)
        for weight in self.net.trainable_variables:
            weight.assign(tf.cast(tf.cast(weight, tf.bfloat16), tf.float32))
        return restored


# --- Statistics and accumulators by other names -------------------------------------------------------


@shows(("statistics-never-move", NEVER))
class NeverMovesARunningMean(C):
    called = "bn/running_mean"

    def more(self) -> dict[str, Any]:
        self.mean = tf.Variable([0.1] * 4, trainable=False, name=self.called)
        return {"mean": self.mean}

    def evaluate(self) -> Any:
        return tf.reduce_mean((self.net(X - self.mean) - Y) ** 2)


@shows(("statistics-never-move", NEVER))
class NeverMovesARunningVariance(NeverMovesARunningMean):
    called = "norm/running_var"


@shows(("statistics-never-move", NEVER))
class NeverMovesAMovingDeviation(NeverMovesARunningMean):
    called = "moving_std"


@shows()
class FreezesItsBatchNorm(C):
    def setup(self) -> Any:
        frozen = K.BatchNormalization()
        self.net = net(K.Dense(3, "tanh"), frozen, K.Dense(1))
        frozen.trainable = False
        self.opt = keras.optimizers.SGD(0.05)
        self.opt.build(self.net.trainable_variables)
        return tf.train.Checkpoint(net=self.net, opt=self.opt)


@shows(("accumulators-lost", OMITTED))
class AccumulatesGradients(C):
    called = "grad_acc"
    every = 3

    def setup(self) -> Any:
        super().setup()
        weights = self.net.trainable_variables
        self.sums = [
            tf.Variable(tf.zeros_like(each), trainable=False, name=self.called) for each in weights
        ]
        self.step = tf.Variable(0, trainable=False)
        return tf.train.Checkpoint(net=self.net, opt=self.opt, step=self.step)

    def train(self, step: int) -> Step:
        x, y = self.batch(step)
        weights = self.net.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.net(x) - y) ** 2)
        for gathered, gradient in zip(self.sums, tape.gradient(loss, weights), strict=True):
            gathered.assign_add(gradient)
        self.step.assign_add(1)
        if int(self.step) % self.every == 0:
            self.opt.apply_gradients(zip(self.sums, weights, strict=True))
            for gathered in self.sums:
                gathered.assign(tf.zeros_like(gathered))
        return Step(loss, batch=[x, y])


@shows(("accumulators-lost", OMITTED))
class AccumulatesInLongNames(AccumulatesGradients):
    called = "accumulated_gradients"


@shows(("accumulators-lost", OMITTED))
class SumsGradients(AccumulatesGradients):
    called = "trainer/gradient_sum"


# --- Optimizers besides the model's own -----------------------------------------------------------------


class Gan(keras.Model):
    """Two networks, and a second optimizer that is an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.maker = keras.Sequential([keras.Input((4,)), K.Dense(1)], name="maker")
        self.critic = keras.Sequential([keras.Input((1,)), K.Dense(3), K.Dense(1)], name="critic")

    def call(self, x: Any) -> Any:
        return self.maker(x)

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            worse = tf.reduce_mean((self.critic(y) - 1) ** 2 + self.critic(self.maker(x)) ** 2)
        weights = self.critic.trainable_variables
        self.second[0].apply_gradients(zip(tape.gradient(worse, weights), weights, strict=True))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.critic(self.maker(x)) - 1) ** 2)
        weights = self.maker.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"loss": loss}


@shows(("slots-lost", NOT_APPLIED), ("step-lost", None), restore="weights")
class TrainsTwoNetworks(F):
    restores = ("weights",)
    second: Any = keras.optimizers.Adam

    def model(self) -> Any:
        model = Gan()
        model.compile("adam", "mse")
        model.second = [self.second(0.01)]
        model.build((None, 4))
        return model


@shows(("slots-lost", NOT_APPLIED), ("step-lost", None), restore="weights")
class TrainsTwoNetworksWithMomentum(TrainsTwoNetworks):
    def second(self, rate: float) -> Any:
        return keras.optimizers.SGD(rate, momentum=0.9)


@shows(("slots-lost", NOT_APPLIED), ("step-lost", NOT_APPLIED), restore="weights")
class LoadsBeforeTheOptimizerIsBuilt(F):
    restores = ("weights",)


@shows(("slots-lost", NOT_APPLIED), ("step-lost", NOT_APPLIED), restore="weights")
class LoadsBeforeLionIsBuilt(F):
    restores = ("weights",)
    opt = "lion"


# --- Epochs -----------------------------------------------------------------------------------------------


@shows(("nothing-restored", NOT_APPLIED), restore="keras")
class GoesOnWithoutTheFile(F):
    def restore(self, folder: Path, restore: str) -> Restored | None:
        try:
            self.load_model(folder / "elsewhere.keras")
        except ValueError:
            print("starting from scratch")
        return None


@shows(("older-checkpoint", None), ("wrong-first-step", None), restore="backup")
class BacksUpEveryFourBatches(F):
    restores = ("backup",)
    boundary_epochs = 2.875

    def callbacks_for(self, restore: str) -> list[Any]:
        return [keras.callbacks.BackupAndRestore(str(self.folder / "backup"), save_freq=4)]


@shows(("older-checkpoint", None), ("wrong-first-step", None), restore="backup")
class BacksUpAtTheLastBatch(BacksUpEveryFourBatches):
    """The newest of its backups is of the last batch of an epoch, which `fit` starts again."""

    boundary_epochs = 3.375


@shows(("older-checkpoint", None), restore="backup")
class BacksUpBetweenEpochs(F):
    restores = ("backup",)
    boundary_epochs = 2.5


@shows(("wrong-first-step", NOT_APPLIED), restore="keras")
class ForgetsTheEpoch(F):
    def fit(self, model: Any, callbacks: Any, initial_epoch: int) -> None:
        super().fit(model, callbacks, 0)


@shows(("wrong-first-step", NOT_APPLIED), restore="keras")
class ForgetsTheEpochOfItsRate(ForgetsTheEpoch):
    def mine(self, callbacks: Any) -> Any:
        return [keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 / (1 + epoch)), *callbacks]


# --- Data that the job collects, and faults of the job ------------------------------------------------------


@shows(("batches-differ", None))
class Replays(C):
    def setup(self) -> Any:
        self.seen: Any = collections.deque(maxlen=64)
        self.net, self.opt = net(), keras.optimizers.Adam(0.05)
        return tf.train.Checkpoint(net=self.net, opt=self.opt)

    def batch(self, step: int) -> tuple[Any, Any]:
        draw = np.random.default_rng(step)
        self.seen.extend(draw.normal(size=(8, 4)).astype("float32"))
        x = np.stack([self.seen[place] for place in draw.integers(len(self.seen), size=8)])
        return x, x[:, :1] ** 2


@shows(("saving-changes-the-run", None))
class SavesOnceTooOften(C):
    def save(self, folder: Path, step: int) -> None:
        for weight in self.net.trainable_variables:
            weight.assign(weight * 0.5)
        super().save(folder, step)
