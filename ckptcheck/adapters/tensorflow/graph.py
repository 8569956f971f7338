"""TensorFlow 1 graphs: a `Session`, a `Saver`, and `ema.variables_to_restore()` behind the `Job` protocol."""

from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tensorflow import _internals
from ckptcheck.adapters.tensorflow.contents import contents
from ckptcheck.job.protocol import POISON, Restored, RestoreRefusedError, Score, Step, Tensor
from ckptcheck.kinds import Kind, is_moving_statistic

tf1 = tf.compat.v1

Feed = dict[Any, Any]

RESTORES = ("saver", "ema", "trainable", "ema-none")
RESTORES_WITHOUT_EMA = ("saver", "trainable")

# One thread an operation: sums are taken in one order, whatever number of cores the machine has.
_CONFIG = tf1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
# Run the graph as it is written: rewriting it takes longer than it saves on networks and runs of this size.
_CONFIG.graph_options.rewrite_options.disable_meta_optimizer = True


@dataclass(frozen=True)
class Network:
    """What a job's graph offers to the adapter. Tensors and operations of one `tf.Graph`."""

    loss: Any
    train_op: Any
    global_step: Any
    optimizer: Any
    learning_rate: Any
    validation_loss: Any
    # The article runs the updates of the moving averages in a session.run of their own, after the train op.
    update_op: Any = None
    ema: Any = None
    # Run once, after every variable has its initial value.
    start_op: Any = None
    # The share of the fed images whose class is named. Only a study asks for it.
    accuracy: Any = None


class GraphJob(ABC):
    """A job made of one TF1 graph. A subclass gives the network and what is fed to it."""

    framework = "tf1"

    steps_per_epoch: int

    @abstractmethod
    def network(self) -> Network:
        """Make the graph in the default graph and say what is what in it."""

    @abstractmethod
    def batch(self, step: int) -> Sequence[np.ndarray[Any, Any]]:
        """Return the arrays of training step `step`."""

    @abstractmethod
    def train_feed(self, batch: Sequence[np.ndarray[Any, Any]], step: int) -> Feed:
        """Return the feed of the train op."""

    @abstractmethod
    def validation_feed(self) -> Feed:
        """Return the feed under which the validation loss is read."""

    def update_feed(self, batch: Sequence[np.ndarray[Any, Any]], step: int) -> Feed:
        """Return the feed of the update op, where the network has one: that of the train op, unless a subclass differs."""
        return self.train_feed(batch, step)

    @property
    def restores(self) -> Sequence[str]:
        """The restores of a TF1 graph; those through an EMA only where the job has one."""
        return RESTORES

    def build(self, seed: int) -> None:
        """Make graph and session; initialise every global variable from `seed`."""
        self.graph = tf.Graph()
        with self.graph.as_default():
            tf1.set_random_seed(seed % POISON)
            self.net = self.network()
            self.variables = _by_name(tf1.global_variables())
            self.initialise = tf1.global_variables_initializer()
            self.saver = tf1.train.Saver(save_relative_paths=True)
        self.session = tf1.Session(graph=self.graph, config=_CONFIG)
        self.graph.finalize()
        self.session.run(self.initialise)
        if self.net.start_op is not None:
            self.session.run(self.net.start_op)
        if seed >= POISON:
            self._poison(seed)
        self._learning_rate = tf.get_static_value(self.net.learning_rate)
        self._kinds = self._classify()

    def _poison(self, seed: int) -> None:
        """Give every trainable variable other values than a script has that is started again."""
        draw = np.random.default_rng(seed)
        with self.graph.as_default():
            trainable = _by_name(tf1.trainable_variables())
            for name, value in self.session.run(trainable).items():
                if value.dtype.kind == "f":
                    trainable[name].load(
                        (value + draw.normal(size=value.shape)).astype(value.dtype), self.session
                    )

    def next_step(self) -> int:
        """Return the live value of the global step."""
        return int(self.session.run(self.net.global_step))

    def train(self, step: int) -> Step:
        """Run the train op on the batch of `step`, then the update op where there is one."""
        batch = self.batch(step)
        fetches = (
            [self.net.loss]
            if self._learning_rate is not None
            else [self.net.loss, self.net.learning_rate]
        )
        values = self._train(batch, step, fetches)
        rate = self._learning_rate if self._learning_rate is not None else values[1]
        return Step(loss=float(values[0]), batch=batch, learning_rate=float(rate))

    def train_scored(self, step: int) -> Score:
        """Train as `train` does; return loss and accuracy of the batch before the update."""
        loss, accuracy = self._train(self.batch(step), step, [self.net.loss, self.net.accuracy])
        return Score(float(loss), float(accuracy))

    def _train(
        self, batch: Sequence[np.ndarray[Any, Any]], step: int, fetches: list[Any]
    ) -> list[Any]:
        values: list[Any] = self.session.run(
            [*fetches, self.net.train_op], self.train_feed(batch, step)
        )[:-1]
        if self.net.update_op is not None:
            self.session.run(self.net.update_op, self.update_feed(batch, step))
        return values

    def evaluate(self) -> float:
        """Return the loss on the whole validation set, with the moving averages as statistics."""
        return float(self.session.run(self.net.validation_loss, self.validation_feed()))

    def evaluate_scored(self) -> Score:
        """Return loss and accuracy on the whole validation set, with the moving averages as statistics."""
        loss, accuracy = self.session.run(
            [self.net.validation_loss, self.net.accuracy], self.validation_feed()
        )
        return Score(float(loss), float(accuracy))

    def state(self) -> Mapping[str, Tensor]:
        """Return every global variable of the graph, and the numbers that the optimizer was made with."""
        values = self.session.run(self.variables)
        settings = {
            f"{self.net.optimizer.get_name()}/{name}": Tensor(Kind.HYPERPARAMETER, np.array(value))
            for name, value in _internals.settings(self.net.optimizer)
        }
        return {
            name: Tensor(self._kinds[name], np.asarray(value)) for name, value in values.items()
        } | settings

    def save(self, folder: Path, step: int) -> None:
        """Save with a plain `Saver`: every global variable."""
        with self.graph.as_default():
            self.saver.save(
                self.session, str(folder / "model.ckpt"), global_step=step, write_meta_graph=False
            )

    def restore(self, folder: Path, restore: str) -> Restored:
        """Restore with a `Saver` over the variables that the named restore maps."""
        prefix = tf1.train.latest_checkpoint(str(folder))
        if prefix is None:
            raise FileNotFoundError(f"{folder} holds no checkpoint that its state file leads to")
        # Restore operations are added to a graph that training keeps finalized.
        _internals.unfinalize(self.graph)
        with self.graph.as_default():
            key_to_variable = _variables_by_key(self.net, restore)
            saver = self.saver if restore == "saver" else tf1.train.Saver(key_to_variable)
            asked = {variable.op.name: key for key, variable in key_to_variable.items()}
            held, values = contents(tf.train.load_checkpoint(prefix))
            try:
                saver.restore(self.session, prefix)
            except (tf.errors.OpError, ValueError) as error:
                raise RestoreRefusedError(error, asked=asked, held=held) from error
        self.graph.finalize()
        return Restored(asked, held, values)

    def _classify(self) -> dict[str, Kind]:
        with self.graph.as_default():  # the optimizer shows only the variables of the default graph
            slots, weights = (
                _by_name(self.net.optimizer.variables()),
                _by_name(tf1.trainable_variables()),
            )
        return {name: self._kind(name, slots, weights) for name in self.variables}

    def _kind(self, name: str, slots: Container[str], weights: Container[str]) -> Kind:
        if name in slots:
            return Kind.SLOT
        if name == self.net.global_step.op.name:
            return Kind.COUNTER
        if self.net.ema is not None and name.endswith(f"/{self.net.ema.name}"):
            # An average of a variable is that variable's shadow; an average of any other tensor is a moving statistic.
            return (
                Kind.SHADOW
                if name.removesuffix(f"/{self.net.ema.name}") in self.variables
                else Kind.MOVING_STATISTIC
            )
        if is_moving_statistic(name):
            return Kind.MOVING_STATISTIC
        return Kind.WEIGHT if name in weights else Kind.OTHER


def _variables_by_key(network: Network, restore: str) -> dict[str, Any]:
    """Return what a restore gives to `Saver`."""
    if restore == "ema":
        return dict(network.ema.variables_to_restore())
    if restore == "ema-none":
        return dict(network.ema.variables_to_restore(moving_avg_variables=[]))
    return _by_name(
        {"saver": tf1.global_variables, "trainable": tf1.trainable_variables}[restore]()
    )


def _by_name(variables: Iterable[Any]) -> dict[str, Any]:
    return {variable.op.name: variable for variable in variables}
