"""Custom TensorFlow 2 loops: batches of every kind, bare variables, generators, iterators."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ckptcheck import Step
from tests.clean.base import BATCH, STEPS, K, Loop, X, Y

COUNT = BATCH * STEPS
WORDS = np.array(["a", "bc", "def", ""] * (COUNT // 4))


class Plain(Loop):
    pass


class Compiled(Loop):
    """The step is a `tf.function`."""

    def setup(self) -> Any:
        self.compiled = tf.function(super().update)
        return super().setup()

    def update(self, x: Any, y: Any) -> Any:
        return self.compiled(x, y)


class CompiledByXLA(Compiled):
    def setup(self) -> Any:
        self.compiled = tf.function(Loop.update.__get__(self), jit_compile=True)
        return Loop.setup(self)


class UnbuiltOptimizer(Loop):
    """The first step creates the slots, and a deferred restore fills them."""

    def make_optimizer(self) -> Any:
        return keras.optimizers.Adam(0.01)


class TextBatches(Loop):
    def train(self, step: int) -> Step:
        x, y = self.batch(step)
        return Step(self.update(x, y), batch=[tf.constant(WORDS[:BATCH]), x])


class RaggedText(Loop):
    def train(self, step: int) -> Step:
        x, y = self.batch(step)
        ragged = tf.ragged.constant([["a", "bc"], [], ["d"]])
        return Step(self.update(x, y), batch={"words": ragged, "x": x})


class RaggedNumbers(Loop):
    def train(self, step: int) -> Step:
        x, y = self.batch(step)
        ragged = tf.RaggedTensor.from_row_lengths(x.reshape(-1), [6] * (BATCH - 1) + [3, 3])
        return Step(self.update(x, y), batch=[ragged, y])


class SparseBatches(Loop):
    def train(self, step: int) -> Step:
        x, y = self.batch(step)
        return Step(self.update(x, y), batch=[tf.sparse.from_dense(x), y])


class BytesBatches(Loop):
    """Arrays of Python objects, as `tensor.numpy()` gives for text."""

    def train(self, step: int) -> Step:
        x, y = self.batch(step)
        return Step(self.update(x, y), batch=[tf.constant(WORDS[:BATCH]).numpy(), x])


class NestedBatches(Loop):
    def train(self, step: int) -> Step:
        x, y = self.batch(step)
        batch: Any = {"inputs": {"x": tf.constant(x)}, "labels": (y, y)}
        return Step(self.update(x, y), batch=batch)


class HalfBatches(Loop):
    def train(self, step: int) -> Step:
        x, y = self.batch(step)
        return Step(self.update(x, y), batch=[tf.cast(x, tf.bfloat16), tf.cast(y, tf.float16)])


class _Bare(Loop):
    """Bare variables, trained by an optimizer of Keras'."""

    def variables(self) -> list[Any]:
        return [tf.Variable(tf.zeros((6, 1)), name="w"), tf.Variable([0.0], name="b")]

    def setup(self) -> Any:
        self.parts = self.variables()
        self.optimizer = self.make_optimizer()
        return tf.train.Checkpoint(parts=self.parts, optimizer=self.optimizer)

    def make_optimizer(self) -> Any:
        return keras.optimizers.SGD(0.05, momentum=0.9)

    def predicted(self, x: Any) -> Any:
        weight, bias = map(tf.convert_to_tensor, self.parts)
        return x @ weight + bias

    def update(self, x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.predicted(x) - y) ** 2)
        gradients = tape.gradient(loss, self.parts)
        self.optimizer.apply_gradients(zip(gradients, self.parts, strict=True))
        return loss

    def evaluate(self) -> Any:
        return tf.reduce_mean((self.predicted(X) - Y) ** 2)


class BareVariables(_Bare):
    pass


class BareVariablesBuilt(_Bare):
    def make_optimizer(self) -> Any:
        optimizer = keras.optimizers.Adam(0.05)
        optimizer.build(self.parts)
        return optimizer


class BareVariablesUnnamed(_Bare):
    """All have one name."""

    def variables(self) -> list[Any]:
        return [tf.Variable(tf.zeros((6, 1))), tf.Variable([0.0])]


class BareKerasVariables(_Bare):
    def variables(self) -> list[Any]:
        return [keras.Variable(np.zeros((6, 1), "float32")), keras.Variable([0.0])]

    def update(self, x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.predicted(x) - y) ** 2)
        gradients = tape.gradient(loss, [each.value for each in self.parts])
        self.optimizer.apply_gradients(zip(gradients, self.parts, strict=True))
        return loss


class BareModule(_Bare):
    """The variables are those of a `tf.Module`."""

    def setup(self) -> Any:
        self.module = tf.Module("line")
        self.module.w, self.module.b = self.parts = self.variables()
        self.optimizer = keras.optimizers.Nadam(0.05)
        return tf.train.Checkpoint(module=self.module, optimizer=self.optimizer)


class BareScaled(_Bare):
    """A loss scale around the optimizer."""

    def make_optimizer(self) -> Any:
        inner = keras.optimizers.Adam(0.05)
        optimizer = keras.optimizers.LossScaleOptimizer(
            inner, initial_scale=4.0, dynamic_growth_steps=3
        )
        optimizer.build(self.parts)  # the wrapper hides the slots until then
        return optimizer

    def update(self, x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.predicted(x) - y) ** 2)
            scaled = self.optimizer.scale_loss(loss)
        self.optimizer.apply(tape.gradient(scaled, self.parts), self.parts)
        return loss


class Noise(Loop):
    """A `tf.random.Generator` in the checkpoint."""

    def more(self) -> dict[str, Any]:
        self.generator = tf.random.Generator.from_seed(5)
        return {"generator": self.generator}

    def batch(self, step: int) -> tuple[Any, Any]:
        x, y = super().batch(step)
        return x + self.generator.normal(x.shape, stddev=0.1), y


class NoiseOfGlobal(Noise):
    """The generator is the global one."""

    def more(self) -> dict[str, Any]:
        tf.random.set_global_generator(tf.random.Generator.from_seed(5, alg="philox"))
        self.generator = tf.random.get_global_generator()
        return {"generator": self.generator}


class NoiseWithoutState(Loop):
    """Random numbers that follow from the number of the step."""

    def batch(self, step: int) -> tuple[Any, Any]:
        x, y = super().batch(step)
        return x + tf.random.stateless_normal(x.shape, (1, step), stddev=0.1), y


class SeedsOfKeras(Loop):
    """A dropout layer, whose seed generator is in the checkpoint."""

    def network(self) -> Any:
        self.dropout = K.Dropout(0.3)
        return keras.Sequential([keras.Input((6,)), K.Dense(4), self.dropout, K.Dense(1)])

    def more(self) -> dict[str, Any]:
        return {"seed": self.dropout.seed_generator.state.value}


class Iterators(Loop):
    """The iterator of a shuffled dataset is in the checkpoint."""

    def more(self) -> dict[str, Any]:
        self.batches = iter(self.dataset().batch(BATCH))
        return {"batches": self.batches}

    def dataset(self) -> Any:
        pairs = tf.data.Dataset.from_tensor_slices((X, Y))
        return pairs.shuffle(COUNT, seed=2).repeat()

    def batch(self, step: int) -> tuple[Any, Any]:
        return next(self.batches)


class IteratorsMapped(Iterators):
    def dataset(self) -> Any:
        return super().dataset().map(lambda x, y: (x * 2, y)).prefetch(2)


class IteratorsShuffledOnce(Iterators):
    def dataset(self) -> Any:
        pairs = tf.data.Dataset.from_tensor_slices((X, Y))
        return pairs.shuffle(COUNT, seed=2, reshuffle_each_iteration=False).repeat()


class StepVariable(Loop):
    """Counts its steps in a variable of its own."""

    def more(self) -> dict[str, Any]:
        self.step = tf.Variable(0, trainable=False, dtype=tf.int64, name="step")
        return {"step": self.step}

    def update(self, x: Any, y: Any) -> Any:
        self.step.assign_add(1)
        return super().update(x, y)


class MeanLoss(Loop):
    """A metric in the loop, which starts anew each epoch."""

    def more(self) -> dict[str, Any]:
        self.mean = keras.metrics.Mean()
        return {}

    def train(self, step: int) -> Step:
        if step % STEPS == 0:
            self.mean.reset_state()
        taken = super().train(step)
        self.mean.update_state(taken.loss)
        return taken


class Averaged(Loop):
    def more(self) -> dict[str, Any]:
        self.averages = [
            tf.Variable(weight, trainable=False) for weight in self.net.trainable_variables
        ]
        return {"averages": self.averages}

    def update(self, x: Any, y: Any) -> Any:
        loss = super().update(x, y)
        for average, weight in zip(self.averages, self.net.trainable_variables, strict=True):
            average.assign(0.9 * average + 0.1 * weight)
        return loss


class TwoOptimizers(Loop):
    """A generator and a discriminator, in turn."""

    def more(self) -> dict[str, Any]:
        self.other = keras.Sequential([keras.Input((6,)), K.Dense(1)])
        self.second = keras.optimizers.SGD(0.01)
        self.step = tf.Variable(0, trainable=False)
        return {"other": self.other, "second": self.second, "step": self.step}

    def update(self, x: Any, y: Any) -> Any:
        self.step.assign_add(1)
        weights = self.other.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.other(x) - self.net(x)) ** 2)
        self.second.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return super().update(x, y)


class GradientsSummed(Loop):
    """Sums gradients by hand over three steps; the boundary lies between two updates."""

    def more(self) -> dict[str, Any]:
        self.sums = [
            tf.Variable(tf.zeros_like(weight), trainable=False)
            for weight in self.net.trainable_variables
        ]
        self.step = tf.Variable(0, trainable=False)
        return {"sums": self.sums, "step": self.step}

    def update(self, x: Any, y: Any) -> Any:
        weights = self.net.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.net(x) - y) ** 2)
        for total, gradient in zip(self.sums, tape.gradient(loss, weights), strict=True):
            total.assign_add(gradient)
        self.step.assign_add(1)
        if int(self.step) % 3 == 0:
            self.optimizer.apply_gradients(zip(self.sums, weights, strict=True))
            for total in self.sums:
                total.assign(tf.zeros_like(total))
        return loss


class KeptAnywhere(Loop):
    """Everything in dictionaries and lists, as attributes of the checkpoint's objects."""

    def setup(self) -> Any:
        self.parts = {"nets": [self.network()]}
        self.net = self.parts["nets"][0]
        self.optimizer = self.make_optimizer()
        return tf.train.Checkpoint(parts=self.parts, optimizer=self.optimizer)
