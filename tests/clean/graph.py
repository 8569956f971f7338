"""TensorFlow 1 graphs: their optimizers, savers, sessions, averages, and kinds of variables."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tf1 import GraphJob, Network, SessionJob

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # for tf.layers, before its first use
tf1 = tf.compat.v1

X = np.random.default_rng(0).normal(size=(32, 6)).astype("float32")
Y = X[:, :1] * X[:, 1:2] + X[:, 2:3]


def _dense(rows: Any, units: int, name: str, **settings: Any) -> Any:
    with tf1.variable_scope(name, **settings):
        kernel = tf1.get_variable("kernel", [rows.shape[-1], units])
        bias = tf1.get_variable("bias", [units], initializer=tf1.zeros_initializer())
        return rows @ kernel + bias


def _settled(train_op: Any, *after: Any) -> Any:
    """Return an operation that runs others after a train op."""
    with tf1.control_dependencies([train_op]):
        return tf.group(*after)


class _Graph(GraphJob):
    restores: Sequence[str] = ("saver",)
    steps_per_epoch = 4

    def optimizer(self, step: Any) -> Any:
        return tf1.train.AdamOptimizer(0.01)

    def inputs(self) -> None:
        self.x = tf1.placeholder(tf.float32, [None, 6])
        self.y = tf1.placeholder(tf.float32, [None, 1])

    def scores(self) -> Any:
        return _dense(tf.tanh(_dense(self.x, 3, "hidden")), 1, "out")

    def more(self, loss: Any, train_op: Any, step: Any) -> Mapping[str, Any]:
        return {}

    def network(self) -> Network:
        self.inputs()
        loss = tf.reduce_mean((self.scores() - self.y) ** 2)
        step = tf1.train.get_or_create_global_step()
        optimizer = self.optimizer(step)
        train_op = optimizer.minimize(loss, step)
        arguments = {"train_op": train_op, **self.more(loss, train_op, step)}
        return Network(loss, global_step=step, optimizer=optimizer, **arguments)

    def batch(self, step: int) -> Any:
        place = step % 4 * 8
        return [X[place : place + 8], Y[place : place + 8]]

    def train_feed(self, batch: Any, step: int) -> Any:
        return {self.x: batch[0], self.y: batch[1]}

    def validation_feed(self) -> Any:
        return {self.x: X, self.y: Y}


# --- Optimizers ---


class Adam(_Graph):
    pass


class GradientDescent(_Graph):
    def optimizer(self, step: Any) -> Any:
        return tf1.train.GradientDescentOptimizer(0.05)


class Momentum(_Graph):
    def optimizer(self, step: Any) -> Any:
        rate = tf1.train.exponential_decay(0.05, step, 3, 0.7, staircase=True)
        return tf1.train.MomentumOptimizer(rate, 0.9, use_nesterov=True)


class Adagrad(_Graph):
    def optimizer(self, step: Any) -> Any:
        return tf1.train.AdagradOptimizer(0.1)


class AdagradDA(_Graph):
    def optimizer(self, step: Any) -> Any:
        return tf1.train.AdagradDAOptimizer(0.1, tf.cast(step, tf.int64))


class Adadelta(_Graph):
    def optimizer(self, step: Any) -> Any:
        return tf1.train.AdadeltaOptimizer(1.0)


class Ftrl(_Graph):
    def optimizer(self, step: Any) -> Any:
        return tf1.train.FtrlOptimizer(0.1, l1_regularization_strength=0.001)


class RMSProp(_Graph):
    def optimizer(self, step: Any) -> Any:
        return tf1.train.RMSPropOptimizer(0.01, momentum=0.5)


class RMSPropCentered(_Graph):
    def optimizer(self, step: Any) -> Any:
        return tf1.train.RMSPropOptimizer(0.01, centered=True)


class ProximalAdagrad(_Graph):
    def optimizer(self, step: Any) -> Any:
        return tf1.train.ProximalAdagradOptimizer(0.1, l2_regularization_strength=0.01)


class ProximalGradientDescent(_Graph):
    def optimizer(self, step: Any) -> Any:
        return tf1.train.ProximalGradientDescentOptimizer(0.05, l1_regularization_strength=0.001)


class LossScaled(_Graph):
    """The graph rewrite of mixed precision adds the variables of a loss scale."""

    def optimizer(self, step: Any) -> Any:
        scale = tf1.mixed_precision.DynamicLossScale(increment_period=3)
        return tf1.mixed_precision.MixedPrecisionLossScaleOptimizer(
            tf1.train.GradientDescentOptimizer(0.05), scale
        )


# --- Savers ---


class SaverOfEverything(_Graph):
    restores = ("mine",)

    def settings(self) -> Mapping[str, Any]:
        return {"var_list": tf1.global_variables()}

    def more(self, loss: Any, train_op: Any, step: Any) -> Mapping[str, Any]:
        return {"savers": {"mine": tf1.train.Saver(**self.settings())}}


class SaverByName(SaverOfEverything):
    """The keys in the checkpoint are not the names of the variables."""

    def settings(self) -> Mapping[str, Any]:
        return {"var_list": {f"old/{each.op.name}": each for each in tf1.global_variables()}}


class SaverSharded(SaverOfEverything):
    def settings(self) -> Mapping[str, Any]:
        return {"sharded": True}


class SaverKeepingOne(SaverOfEverything):
    def settings(self) -> Mapping[str, Any]:
        return {"max_to_keep": 1, "save_relative_paths": True}


class SaverPadded(SaverOfEverything):
    def settings(self) -> Mapping[str, Any]:
        return {"pad_step_number": True, "max_to_keep": None, "restore_sequentially": True}


# --- Averages ---


class Averaged(_Graph):
    """Averages of the weights for evaluation, which `variables_to_restore` reads elsewhere."""

    restores = ("saver", "ema-none")

    def more(self, loss: Any, train_op: Any, step: Any) -> Mapping[str, Any]:
        ema = tf1.train.ExponentialMovingAverage(0.9, step)
        with tf1.control_dependencies([train_op]):
            averaged = ema.apply(tf1.trainable_variables())
        return {"train_op": averaged, "ema": ema}


class AveragedUnderAName(_Graph):
    def more(self, loss: Any, train_op: Any, step: Any) -> Mapping[str, Any]:
        ema = tf1.train.ExponentialMovingAverage(0.5, name="smooth")
        return {"train_op": _settled(train_op, ema.apply(tf1.trainable_variables()))}


class AveragedForEvaluation(_Graph):
    """The averages are evaluated; a `Saver` of everything restores both."""

    def more(self, loss: Any, train_op: Any, step: Any) -> Mapping[str, Any]:
        ema = tf1.train.ExponentialMovingAverage(0.9)
        averaged = ema.apply(tf1.trainable_variables())

        def average(getter: Any, *arguments: Any, **settings: Any) -> Any:
            return ema.average(getter(*arguments, **settings))

        with tf1.variable_scope("", reuse=True, custom_getter=average):
            score = tf.reduce_mean((self.scores() - self.y) ** 2)
        return {"train_op": _settled(train_op, averaged), "validation_loss": score}


class AveragedLoss(_Graph):
    """The average of a tensor that is no variable, without bias by its first value."""

    def more(self, loss: Any, train_op: Any, step: Any) -> Mapping[str, Any]:
        ema = tf1.train.ExponentialMovingAverage(0.9, zero_debias=True)
        return {"train_op": _settled(train_op, ema.apply([loss]))}


# --- Batch norm ---


class NormByHand(_Graph):
    def inputs(self) -> None:
        super().inputs()
        self.training = tf1.placeholder_with_default(False, [])

    def scores(self) -> Any:
        net = _dense(self.x, 4, "hidden")
        mean, variance = tf.nn.moments(net, 0)
        ema = tf1.train.ExponentialMovingAverage(0.8)
        self.updates = ema.apply([mean, variance])
        mean, variance = tf.cond(
            self.training,
            lambda: (mean, variance),
            lambda: (ema.average(mean) + 0.0, ema.average(variance) + 0.0),
        )
        return _dense(tf.nn.batch_normalization(net, mean, variance, None, None, 1e-3), 1, "out")

    def more(self, loss: Any, train_op: Any, step: Any) -> Mapping[str, Any]:
        return {"train_op": _settled(train_op, self.updates)}

    def train_feed(self, batch: Any, step: int) -> Any:
        return super().train_feed(batch, step) | {self.training: True}


class TfLayers(NormByHand):
    def scores(self) -> Any:
        net = tf1.layers.dense(self.x, 4)
        net = tf1.layers.batch_normalization(net, training=self.training, momentum=0.8)
        self.updates = tf1.get_collection(tf1.GraphKeys.UPDATE_OPS)
        return tf1.layers.dense(tf.nn.relu(net), 1)


# --- Variables ---


class ResourceVariables(_Graph):
    def scores(self) -> Any:
        return _dense(tf.tanh(_dense(self.x, 3, "a", use_resource=True)), 1, "b", use_resource=True)


class RefVariables(_Graph):
    def scores(self) -> Any:
        hidden = tf.tanh(_dense(self.x, 3, "a", use_resource=False))
        return _dense(hidden, 1, "b", use_resource=False)


class Partitioned(_Graph):
    restores = ("saver", "whole")

    def scores(self) -> Any:
        with tf1.variable_scope("parts", partitioner=tf1.fixed_size_partitioner(2)):
            kernel = tf1.get_variable("kernel", [6, 4])
        return _dense(tf.tanh(self.x @ tf.convert_to_tensor(kernel)), 1, "out")

    def more(self, loss: Any, train_op: Any, step: Any) -> Mapping[str, Any]:
        return {"savers": {"whole": tf1.train.Saver(tf1.global_variables())}}


class InScopes(_Graph):
    """Slots that are made inside a scope have its name twice."""

    def network(self) -> Network:
        with tf1.variable_scope("tower"), tf1.variable_scope("inner"):
            return super().network()


class Counting(_Graph):
    """Variables beside the weights: a table of integers, text, and a count that goes down."""

    def more(self, loss: Any, train_op: Any, step: Any) -> Mapping[str, Any]:
        seen = tf1.get_variable("seen", [4], tf.int32, tf1.zeros_initializer(), trainable=False)
        left = tf1.get_variable("left", [], tf.int64, tf1.ones_initializer(), trainable=False)
        moved = (tf1.assign_add(seen, [1, 2, 3, 4]), tf1.assign_sub(left, 1))
        return {"train_op": _settled(train_op, *moved)}


class FromPython(_Graph):
    def scores(self) -> Any:
        doubled = tf1.py_func(lambda rows: rows * np.float32(2), [self.x], tf.float32)
        doubled.set_shape([None, 6])
        return _dense(doubled, 1, "out")


class Stateless(_Graph):
    """Noise that follows from the global step."""

    def scores(self) -> Any:
        step = tf.cast(tf1.train.get_or_create_global_step(), tf.int32)
        noise = tf.random.stateless_normal([6], [step, 1])
        return _dense(self.x + 0.1 * noise, 1, "out")


class Gan(_Graph):
    """Two optimizers of one graph; only one has its settings compared."""

    def more(self, loss: Any, train_op: Any, step: Any) -> Mapping[str, Any]:
        other = tf.reduce_mean((_dense(self.x, 1, "critic") + self.y) ** 2)
        critic = [each for each in tf1.trainable_variables() if each.op.name.startswith("critic")]
        second = tf1.train.RMSPropOptimizer(0.01, name="Second").minimize(other, var_list=critic)
        return {"train_op": _settled(train_op, second)}


# --- Sessions ---


class _Session(SessionJob):
    steps_per_epoch = 4

    def dataset(self) -> Any:
        return tf1.data.Dataset.from_tensor_slices((X, Y)).batch(8).repeat()

    def iterate(self, dataset: Any) -> Any:
        iterator = tf1.data.make_initializable_iterator(dataset)
        tf1.add_to_collection(tf1.GraphKeys.TABLE_INITIALIZERS, iterator.initializer)
        return iterator

    def optimizer(self) -> Any:
        return tf1.train.AdamOptimizer(0.01)

    def network(self) -> Network:
        step = tf1.train.get_or_create_global_step()
        self.iterator = self.iterate(self.dataset())
        x, y = self.iterator.get_next()
        x.set_shape([None, 6])
        scores = _dense(tf.tanh(_dense(x, 3, "hidden")), 1, "out")
        loss = tf.reduce_mean((scores - y) ** 2)
        train_op = self.optimizer().minimize(loss, step)
        return Network(loss, train_op, step, batch=[x, y])

    def validation_feed(self) -> Any:
        x, y = self.net.batch
        return {x: X, y: Y}

    def settings(self) -> Mapping[str, Any]:
        return {"save_checkpoint_steps": 4}

    def hooks(self, folder: str) -> list[Any]:
        return []

    def loop(self, folder: str, hooks: Sequence[Any]) -> None:
        with tf1.train.MonitoredTrainingSession(
            checkpoint_dir=folder, hooks=[*self.hooks(folder), *hooks], **self.settings()
        ) as session:
            while not session.should_stop():
                session.run(self.net.train_op)


class Monitored(_Session):
    pass


class MonitoredFetchingMore(_Session):
    """The loop of an Estimator: it fetches the loss, and reads the step between two steps."""

    def loop(self, folder: str, hooks: Sequence[Any]) -> None:
        ends = [tf1.train.StopAtStepHook(last_step=100), tf1.train.NanTensorHook(self.net.loss)]
        with tf1.train.MonitoredTrainingSession(
            checkpoint_dir=folder, hooks=[*ends, *hooks], save_checkpoint_steps=4
        ) as session:
            while not session.should_stop():
                session.run({"loss": self.net.loss, "train": [self.net.train_op]})
                session.run(self.net.global_step)


class MonitoredWithHooks(_Session):
    """Saved by a hook of the job's own, with listeners."""

    def settings(self) -> Mapping[str, Any]:
        return {"save_checkpoint_steps": None, "save_checkpoint_secs": None}

    def hooks(self, folder: str) -> list[Any]:
        listener = tf1.train.CheckpointSaverListener()
        return [tf1.train.CheckpointSaverHook(folder, save_steps=4, listeners=[listener])]


class MonitoredWithScaffold(_Session):
    """A scaffold with a Saver, an initialiser and a function of the job's own."""

    def settings(self) -> Mapping[str, Any]:
        scaffold = tf1.train.Scaffold(
            saver=tf1.train.Saver(max_to_keep=2, save_relative_paths=True),
            init_op=tf1.global_variables_initializer(),
            init_fn=lambda scaffold, session: session.run(self.net.global_step),
            local_init_op=tf.group(tf1.local_variables_initializer(), self.iterator.initializer),
        )
        return {"save_checkpoint_steps": 8, "scaffold": scaffold}


class MonitoredSingular(_Session):
    """A `SingularMonitoredSession`, with the momentum of two epochs."""

    def optimizer(self) -> Any:
        return tf1.train.MomentumOptimizer(0.05, 0.9)

    def loop(self, folder: str, hooks: Sequence[Any]) -> None:
        saving = tf1.train.CheckpointSaverHook(folder, save_steps=8)
        with tf1.train.SingularMonitoredSession(
            hooks=[saving, *hooks], checkpoint_dir=folder
        ) as session:
            while not session.should_stop():
                session.run(self.net.train_op)


class MonitoredIterator(_Session):
    """The position in a shuffled dataset is saved with the variables, in mid-epoch."""

    boundary_epochs = 2.5

    def iterate(self, dataset: Any) -> Any:
        return tf1.data.make_one_shot_iterator(dataset)

    def dataset(self) -> Any:
        return super().dataset().shuffle(4, seed=1)

    def settings(self) -> Mapping[str, Any]:
        saveable = tf.data.experimental.make_saveable_from_iterator(self.iterator)
        tf1.add_to_collection(tf1.GraphKeys.SAVEABLE_OBJECTS, saveable)
        return {"save_checkpoint_steps": 10}


class MonitoredFed(_Session):
    """Placeholders, fed by the step; the rate decays."""

    def network(self) -> Network:
        x = tf1.placeholder(tf.float32, [None, 6])
        y = tf1.placeholder(tf.float32, [None, 1])
        step = tf1.train.get_or_create_global_step()
        loss = tf.reduce_mean((_dense(x, 1, "out") - y) ** 2)
        rate = tf1.train.polynomial_decay(0.1, step, 20)
        optimizer = tf1.train.AdagradOptimizer(rate)
        return Network(loss, optimizer.minimize(loss, step), step, optimizer, rate, batch=[x, y])

    def loop(self, folder: str, hooks: Sequence[Any]) -> None:
        with tf1.train.MonitoredTrainingSession(
            checkpoint_dir=folder, hooks=hooks, save_checkpoint_steps=4
        ) as session:
            x, y = self.net.batch
            step = session.run_step_fn(
                lambda step_context: step_context.session.run(self.net.global_step)
            )
            while not session.should_stop():
                place = step % 4 * 8
                feed = {x: X[place : place + 8], y: Y[place : place + 8]}
                session.run(self.net.train_op, feed)
                step += 1


class MonitoredQueue(_Session):
    """A queue that a thread of the session fills with the rows in order."""

    def network(self) -> Network:
        step = tf1.train.get_or_create_global_step()
        x, y = tf1.train.slice_input_producer([X, Y], shuffle=False)
        x, y = tf1.train.batch([x, y], 8)
        loss = tf.reduce_mean((_dense(x, 1, "out") - y) ** 2)
        train_op = tf1.train.FtrlOptimizer(0.1).minimize(loss, step)
        return Network(loss, train_op, step, batch=[x, y])

    def validation_feed(self) -> Any:
        x, y = self.net.batch
        return {x: X[:8], y: Y[:8]}
