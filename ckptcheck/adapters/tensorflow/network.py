"""`Network`, and the state of a TensorFlow 1 graph, which every job with a graph has."""

import importlib.util
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tensorflow import _internals
from ckptcheck.adapters.tensorflow.graph_variables import by_op_name, kinds_of
from ckptcheck.errors import UsageError
from ckptcheck.job.protocol import POISON, Tensor
from ckptcheck.kinds import Kind

tf1 = tf.compat.v1

Feed = dict[Any, Any]

# One thread an operation, so that sums do not depend on the number of cores.
_CONFIG = tf1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
# On networks and runs of this size, optimising the graph takes longer than it saves. Without any
# pass, a branch that is not taken would read a variable of `use_resource=False`, also one that has
# no value yet; so one pass that computes nothing is left.
_CONFIG.graph_options.rewrite_options.optimizers.append("pruning")


@dataclass(frozen=True)
class Network:
    """The tensors and operations of a job's graph that a job needs.

    Attributes:
        loss: scalar tensor, the training loss.
        train_op: operation that executes a training step.
        global_step: variable that counts the steps.
        optimizer: the `tf.compat.v1.train.Optimizer`, whose settings are compared. None: no
            settings are compared.
        learning_rate: scalar tensor, the rate that the train op uses. None: unknown.
        validation_loss: scalar tensor, read under `validation_feed`. None: `loss`.
        update_op: operation that updates the moving averages in a `session.run` of its own,
            after the train op. None: no such operation.
        ema: the `ExponentialMovingAverage` for the restores `ema` and `ema-none`. None: no EMA.
        start_op: operation that runs once, after all variables are initialised. None: no such
            operation.
        accuracy: scalar tensor, the share (0 to 1) of the fed images that are classified
            correctly. Only a study needs it.
        savers: a `Saver` by the name of its restore. It saves into a folder of that name, and
            restores from there.
        batch: the tensors that a step consumes, where a `SessionJob` reads them in its graph.
    """

    loss: Any
    train_op: Any
    global_step: Any
    optimizer: Any = None
    learning_rate: Any = None
    validation_loss: Any = None
    update_op: Any = None
    ema: Any = None
    start_op: Any = None
    accuracy: Any = None
    savers: Mapping[str, Any] = field(default_factory=dict)
    batch: Sequence[Any] = ()


class NetworkJob(ABC):
    """What every job with a graph has: a network, a session, and the state in it."""

    framework = "tf1"

    steps_per_epoch: int
    session: Any

    @abstractmethod
    def network(self) -> Network:
        """Add the network to the default graph, and return its tensors and operations."""

    def validation_feed(self) -> Feed:
        """Return the feed of the validation loss: placeholders and their values.

        Default: nothing is fed.
        """
        return {}

    def _create(self, seed: int) -> None:
        """Create the graph and a session, and initialise every global variable."""
        self.graph = tf.Graph()
        with self.graph.as_default():
            _set_seeds(seed % POISON)
            with explaining_keras_2():
                self.net = self.network()
            self.variables = by_op_name(tf1.global_variables())
            self.initialise = tf1.global_variables_initializer()
        self.session = tf1.Session(graph=self.graph, config=_CONFIG)
        self.session.run(self.initialise)
        self._kinds = self._classify()

    def next_step(self) -> int:
        """Return the live value of the global step."""
        return int(self.session.run(self.net.global_step))

    def evaluate(self) -> float:
        """Return the loss on the whole validation set."""
        net = self.net
        loss = net.loss if net.validation_loss is None else net.validation_loss
        return float(self.session.run(loss, self.validation_feed()))

    def state(self) -> Mapping[str, Tensor]:
        """Return every global variable of the graph, and the optimizer's numeric settings."""
        values = self.session.run(self.variables)
        state = {
            name: Tensor(self._kinds[name], np.asarray(value)) for name, value in values.items()
        }
        if self.net.optimizer is None:
            return state
        return state | {
            f"{self.net.optimizer.get_name()}/{name}": Tensor(Kind.HYPERPARAMETER, np.array(value))
            for name, value in _internals.settings(self.net.optimizer)
        }

    def _classify(self) -> dict[str, Kind]:
        kinds = kinds_of(self.variables, self.graph)
        if self.net.optimizer is not None:
            # `optimizer.variables()` returns only those of the default graph.
            with self.graph.as_default():
                slots = by_op_name(self.net.optimizer.variables())
            kinds |= dict.fromkeys(slots, Kind.SLOT)
        return kinds | {self.net.global_step.op.name: Kind.COUNTER}


def _set_seeds(seed: int) -> None:
    """Set the seed of the graph, and of the initial values of `tf.layers`, which Keras 2 draws."""
    if os.environ.get("TF_USE_LEGACY_KERAS") == "1" and importlib.util.find_spec("tf_keras"):
        tf.keras.utils.set_random_seed(seed)
    tf1.set_random_seed(seed)


@contextmanager
def explaining_keras_2() -> Iterator[None]:
    """Say what `tf.layers` and the cells of TensorFlow 1 need: TensorFlow only says what fails."""
    try:
        yield
    except AttributeError as error:
        if "not available with Keras 3" not in str(error):
            raise
        raise UsageError(
            f"{error} tf.layers and the RNN cells of TensorFlow 1 need Keras 2: pip install "
            "tf-keras, and set TF_USE_LEGACY_KERAS=1 in the environment."
        ) from error
