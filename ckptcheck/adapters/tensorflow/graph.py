"""`GraphJob`: TensorFlow 1 graphs, with `Session`, `Saver` and `ema.variables_to_restore()`."""

from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tensorflow import _internals
from ckptcheck.adapters.tensorflow.contents import contents
from ckptcheck.adapters.tensorflow.dtypes import letter_of
from ckptcheck.job.protocol import POISON, Restored, RestoreRefusedError, Score, Step, Tensor
from ckptcheck.kinds import Kind, by_name

tf1 = tf.compat.v1

Feed = dict[Any, Any]

RESTORES = ("saver", "ema", "trainable", "ema-none")
RESTORES_WITHOUT_EMA = ("saver", "trainable")

# One thread an operation, so that sums do not depend on the number of cores.
_CONFIG = tf1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
# On networks and runs of this size, optimising the graph takes longer than it saves.
_CONFIG.graph_options.rewrite_options.disable_meta_optimizer = True


@dataclass(frozen=True)
class Network:
    """The tensors and operations of a job's graph that `GraphJob` needs.

    Attributes:
        loss: scalar tensor, the training loss.
        train_op: operation that executes a training step.
        global_step: variable that counts the steps.
        optimizer: the `tf.compat.v1.train.Optimizer`.
        learning_rate: scalar tensor, the rate that the train op uses.
        validation_loss: scalar tensor, read under `validation_feed`.
        update_op: operation that updates the moving averages in a `session.run` of its own,
            after the train op. None: no such operation.
        ema: the `ExponentialMovingAverage` for the restores `ema` and `ema-none`. None: no EMA.
        start_op: operation that runs once, after all variables are initialised. None: no such
            operation.
        accuracy: scalar tensor, the share (0 to 1) of the fed images that are classified
            correctly. Only a study needs it.
    """

    loss: Any
    train_op: Any
    global_step: Any
    optimizer: Any
    learning_rate: Any
    validation_loss: Any
    update_op: Any = None
    ema: Any = None
    start_op: Any = None
    accuracy: Any = None


class GraphJob(ABC):
    """A job made of one TensorFlow 1 graph.

    A subclass provides the network and its feeds. `restores` names the ways to restore a
    checkpoint that a plain `Saver` wrote:

    - `saver`: every global variable;
    - `ema`: `ema.variables_to_restore()`, which reads the weights from their averages;
    - `trainable`: the trainable variables alone;
    - `ema-none`: `ema.variables_to_restore(moving_avg_variables=[])`.

    Without an EMA, set `restores = RESTORES_WITHOUT_EMA`.

    Attributes:
        steps_per_epoch: number of training steps in an epoch.

    Example:
        ```python
        class Train(GraphJob):
            restores = ("saver", "trainable")
            steps_per_epoch = 20

            def network(self):
                self.x = tf1.placeholder(tf.float32, [None, 4])
                weights = tf1.get_variable("weights", [4, 1])
                loss = tf.reduce_mean((self.x @ weights - 1) ** 2)
                step = tf1.train.create_global_step()
                rate = tf.constant(0.1)
                optimizer = tf1.train.MomentumOptimizer(rate, 0.9)
                train_op = optimizer.minimize(loss, step)
                return Network(loss, train_op, step, optimizer, rate, validation_loss=loss)

            def batch(self, step):
                return [np.random.default_rng(step).normal(size=(16, 4))]

            def train_feed(self, batch, step):
                return {self.x: batch[0]}

            def validation_feed(self):
                return {self.x: np.eye(4)}
        ```
    """

    framework = "tf1"

    steps_per_epoch: int

    @abstractmethod
    def network(self) -> Network:
        """Add the network to the default graph, and return its tensors and operations."""

    @abstractmethod
    def batch(self, step: int) -> Sequence[np.ndarray[Any, Any]]:
        """Return the arrays of the batch of training step `step`, counted from 0."""

    @abstractmethod
    def train_feed(self, batch: Sequence[np.ndarray[Any, Any]], step: int) -> Feed:
        """Return the feed of the train op: placeholders and their values."""

    @abstractmethod
    def validation_feed(self) -> Feed:
        """Return the feed of the validation loss: placeholders and their values."""

    def update_feed(self, batch: Sequence[np.ndarray[Any, Any]], step: int) -> Feed:
        """Return the feed of the update op, where the network has one.

        Default: the feed of the train op.
        """
        return self.train_feed(batch, step)

    @property
    def restores(self) -> Sequence[str]:
        """The names of the ways to restore a checkpoint; default: all four."""
        return RESTORES

    def build(self, seed: int) -> None:
        """Create the graph and the session, and initialise every global variable.

        Args:
            seed: graph-level seed of the initial values. A seed of `ckptcheck.job.POISON` or more
                also perturbs the trainable variables, so that a restore that does nothing cannot
                pass.
        """
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
        """Add noise to every trainable variable: a restarted script would have the same values."""
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
        """Run the train op on the batch of `step`, then the update op if there is one."""
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
        """Execute a training step; return loss and accuracy of its batch before the update."""
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
        """Return the loss on the whole validation set."""
        return float(self.session.run(self.net.validation_loss, self.validation_feed()))

    def evaluate_scored(self) -> Score:
        """Return loss and accuracy on the whole validation set."""
        loss, accuracy = self.session.run(
            [self.net.validation_loss, self.net.accuracy], self.validation_feed()
        )
        return Score(float(loss), float(accuracy))

    def state(self) -> Mapping[str, Tensor]:
        """Return every global variable of the graph, and the optimizer's numeric settings."""
        values = self.session.run(self.variables)
        settings = {
            f"{self.net.optimizer.get_name()}/{name}": Tensor(Kind.HYPERPARAMETER, np.array(value))
            for name, value in _internals.settings(self.net.optimizer)
        }
        return {
            name: Tensor(self._kinds[name], np.asarray(value)) for name, value in values.items()
        } | settings

    def save(self, folder: Path, step: int) -> None:
        """Save every global variable into `folder` with a plain `Saver`."""
        with self.graph.as_default():
            self.saver.save(
                self.session, str(folder / "model.ckpt"), global_step=step, write_meta_graph=False
            )

    def restore(self, folder: Path, restore: str) -> Restored:
        """Restore the newest checkpoint in `folder`, with a `Saver` over the restore's variables.

        Args:
            folder: what the control saved.
            restore: one of the names in `restores`.

        Raises:
            FileNotFoundError: `folder` holds no checkpoint.
            RestoreRefusedError: the `Saver` raised, for example because a key is missing.
        """
        prefix = tf1.train.latest_checkpoint(str(folder))
        if prefix is None:
            raise FileNotFoundError(
                f"{folder} holds no checkpoint: its state file `checkpoint` is missing, "
                "or names files that do not exist"
            )
        # The Saver adds restore operations; training keeps the graph finalized.
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
        # `optimizer.variables()` returns only those of the default graph.
        with self.graph.as_default():
            slots = _by_name(self.net.optimizer.variables())
            weights = _by_name(tf1.trainable_variables())
        return {name: self._kind(name, slots, weights) for name in self.variables}

    def _kind(self, name: str, slots: Container[str], weights: Container[str]) -> Kind:
        if name in slots:
            return Kind.SLOT
        if name == self.net.global_step.op.name:
            return Kind.COUNTER
        if self.net.ema is not None and name.endswith(f"/{self.net.ema.name}"):
            # The average of a variable is its shadow; that of any other tensor is a statistic.
            return (
                Kind.SHADOW
                if name.removesuffix(f"/{self.net.ema.name}") in self.variables
                else Kind.MOVING_STATISTIC
            )
        variable = self.variables[name]
        return by_name(name, letter_of(variable), variable.shape.rank == 0, name in weights)


def _variables_by_key(network: Network, restore: str) -> dict[str, Any]:
    """Return the variables of a restore by checkpoint key, as `Saver` takes them."""
    if restore == "ema":
        return dict(network.ema.variables_to_restore())
    if restore == "ema-none":
        return dict(network.ema.variables_to_restore(moving_avg_variables=[]))
    return _by_name(
        {"saver": tf1.global_variables, "trainable": tf1.trainable_variables}[restore]()
    )


def _by_name(variables: Iterable[Any]) -> dict[str, Any]:
    return {variable.op.name: variable for variable in variables}
