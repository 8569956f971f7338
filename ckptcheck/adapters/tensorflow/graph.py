"""`GraphJob` and `SessionJob`: TensorFlow 1 graphs, in a `Session` or a `MonitoredSession`."""

import importlib.util
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tensorflow import _internals
from ckptcheck.adapters.tensorflow.contents import contents
from ckptcheck.adapters.tensorflow.graph_variables import by_op_name, kinds_of
from ckptcheck.errors import NotVerifiedError, UsageError
from ckptcheck.job.protocol import POISON, Loop, Restored, RestoreRefusedError, Score, Step, Tensor
from ckptcheck.kinds import Kind

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


class _Graph(ABC):
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
            with _explaining_keras_2():
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


class GraphJob(_Graph):
    """A job made of one TensorFlow 1 graph.

    A subclass provides the network and its feeds. `restores` names the ways to restore a
    checkpoint that a plain `Saver` wrote:

    - `saver`: every global variable;
    - `ema`: `ema.variables_to_restore()`, which reads the weights from their averages;
    - `trainable`: the trainable variables alone;
    - `ema-none`: `ema.variables_to_restore(moving_avg_variables=[])`.

    Without an EMA, set `restores = RESTORES_WITHOUT_EMA`. A `Saver` of your own has a restore of
    its name, see `Network.savers`.

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

    @abstractmethod
    def batch(self, step: int) -> Sequence[np.ndarray[Any, Any]]:
        """Return the arrays of the batch of training step `step`, counted from 0."""

    @abstractmethod
    def train_feed(self, batch: Sequence[np.ndarray[Any, Any]], step: int) -> Feed:
        """Return the feed of the train op: placeholders and their values."""

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
        self._create(seed)
        with self.graph.as_default():
            self.saver = tf1.train.Saver(save_relative_paths=True)
        self.graph.finalize()
        if self.net.start_op is not None:
            self.session.run(self.net.start_op)
        if seed >= POISON:
            self._poison(seed)
        self._rates = [] if self.net.learning_rate is None else [self.net.learning_rate]
        self._static_rate = tf.get_static_value(*self._rates) if self._rates else None

    def _poison(self, seed: int) -> None:
        """Add noise to every trainable variable: a restarted script would have the same values."""
        draw = np.random.default_rng(seed)
        with self.graph.as_default():
            trainable = by_op_name(tf1.trainable_variables())
            for name, value in self.session.run(trainable).items():
                if value.dtype.kind == "f":
                    trainable[name].load(
                        (value + draw.normal(size=value.shape)).astype(value.dtype), self.session
                    )

    def train(self, step: int) -> Step:
        """Run the train op on the batch of `step`, then the update op if there is one."""
        batch = self.batch(step)
        fetched = self._rates if self._static_rate is None else []
        loss, *rates = self._train(batch, step, [self.net.loss, *fetched])
        rate = rates[0] if rates else self._static_rate
        return Step(float(loss), batch, learning_rate=None if rate is None else float(rate))

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

    def evaluate_scored(self) -> Score:
        """Return loss and accuracy on the whole validation set."""
        loss, accuracy = self.session.run(
            [self.net.validation_loss, self.net.accuracy], self.validation_feed()
        )
        return Score(float(loss), float(accuracy))

    def save(self, folder: Path, step: int) -> None:
        """Save every global variable into `folder`, and with each `Saver` of the network's own."""
        own = {folder / name: saver for name, saver in self.net.savers.items()}
        for place, saver in ({folder: self.saver} | own).items():
            place.mkdir(exist_ok=True)
            with self.graph.as_default():
                saver.save(
                    self.session,
                    str(place / "model.ckpt"),
                    global_step=step,
                    write_meta_graph=False,
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
        own = self.net.savers.get(restore)
        folder = folder if own is None else folder / restore
        prefix = tf1.train.latest_checkpoint(str(folder))
        if prefix is None:
            raise FileNotFoundError(
                f"{folder} holds no checkpoint: its state file `checkpoint` is missing, "
                "or names files that do not exist"
            )
        # The Saver adds restore operations; training keeps the graph finalized.
        _internals.unfinalize(self.graph)
        with self.graph.as_default():
            saver = own or self._saver_for(restore)
            asked = _internals.keys_of(saver)
            held, values = contents(tf.train.load_checkpoint(prefix))
            try:
                saver.restore(self.session, prefix)
            except (tf.errors.OpError, ValueError) as error:
                raise RestoreRefusedError(error, asked=asked, held=held) from error
        self.graph.finalize()
        return Restored(asked, held, values)

    def _saver_for(self, restore: str) -> Any:
        """Return the `Saver` of a restore.

        Raises:
            UsageError: nothing implements the restore.
        """
        ema = self.net.ema
        if restore == "saver":
            return self.saver
        if restore == "trainable":
            return tf1.train.Saver(tf1.trainable_variables())
        if restore in RESTORES and ema is not None:
            arguments: dict[str, Any] = {} if restore == "ema" else {"moving_avg_variables": []}
            return tf1.train.Saver(ema.variables_to_restore(**arguments))
        raise UsageError(
            f"There is no Saver for the restore {restore!r}. Return Network(…, "
            + (
                "ema=ema)."
                if restore in RESTORES
                else f"savers={{{restore!r}: tf.compat.v1.train.Saver(…)}})."
            )
        )


class SessionJob(_Graph):
    """A job that trains a graph in a `MonitoredTrainingSession`, with a loop of its own.

    The session saves into the folder, and restores from it when it opens. Let it save where the
    job is judged: with `save_checkpoint_steps=20` and 20 steps an epoch, after two epochs. A step
    is a `session.run` that fetches the train op.

    Attributes:
        steps_per_epoch: number of training steps in an epoch.
        boundary_epochs: number of epochs after which the session has saved; default: 2.0.
        restores: the names of the restores; default: `session`.

    Example:
        ```python
        class Train(SessionJob):
            steps_per_epoch = 20

            def network(self):
                x = next_batch()
                loss = tf.reduce_mean((x @ tf1.get_variable("weights", [4, 1]) - 1) ** 2)
                step = tf1.train.create_global_step()
                train_op = tf1.train.AdamOptimizer(0.1).minimize(loss, step)
                return Network(loss, train_op, step, validation_loss=loss, batch=[x])

            def loop(self, folder, hooks):
                with tf1.train.MonitoredTrainingSession(
                    checkpoint_dir=folder, save_checkpoint_steps=20, hooks=hooks
                ) as session:
                    while not session.should_stop():
                        session.run(self.net.train_op)
        ```
    """

    restores: Sequence[str] = ("session",)
    boundary_epochs = 2.0

    @abstractmethod
    def loop(self, folder: str, hooks: Sequence[Any]) -> None:
        """Open a session and train in it, for at least four epochs.

        Args:
            folder: the folder to save into and to restore from.
            hooks: the hooks of ckptcheck. Pass them to the session after any of your own.
        """

    def build(self, seed: int) -> None:
        """Create the graph, and initialise every global variable in a session of its own.

        Args:
            seed: graph-level seed of the initial values, as in `GraphJob.build`. Nothing is
                perturbed: the session of `loop` creates its own initial values, or none.
        """
        self._create(seed)

    def restore(self, folder: Path, restore: str) -> Restored:
        """Report what the newest checkpoint holds: the session restores it when it opens."""
        prefix = tf1.train.latest_checkpoint(str(folder))
        return Restored(None, *contents(tf.train.load_checkpoint(prefix))) if prefix else Restored()

    def save(self, folder: Path, step: int) -> None:
        """Do nothing: the session of `loop` saves."""

    def run(self, loop: Loop) -> None:
        """Call `loop`, and report its steps.

        Raises:
            NotVerifiedError: no session of `loop` ran the train op under the hooks.
        """
        self.session.close()
        hook = _StepHook(self, loop)
        with self.graph.as_default(), _explaining_keras_2(), _saving(loop.saves):
            self.loop(str(loop.folder), [hook])
        if not hook.began:
            raise NotVerifiedError(
                "no session ran the train op under the hooks of ckptcheck. Pass `hooks` to the "
                "session, and run Network.train_op in it"
            )


class _StepHook(tf1.train.SessionRunHook):  # type: ignore[misc,name-defined]
    """Reports each `session.run` of the train op to a `Loop`."""

    def __init__(self, job: SessionJob, loop: Loop) -> None:
        self._job = job
        self._loop = loop
        net = job.net
        rate = [] if net.learning_rate is None else [net.learning_rate]
        batch = tf.nest.flatten(list(net.batch), expand_composites=True)
        self._fetches = [net.loss, rate, batch]
        self._trains = False
        self.began = False

    def after_create_session(self, session: Any, coord: Any) -> None:
        self._job.session = session

    def before_run(self, run_context: Any) -> Any:
        fetched = tf.nest.flatten(run_context.original_args.fetches)
        self._trains = any(
            _operation(each) is _operation(self._job.net.train_op) for each in fetched
        )
        if not self._trains:
            return None
        self.began = True
        self._loop.before_step()
        return tf1.train.SessionRunArgs(self._fetches)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        if self._trains:
            loss, rates, batch = run_values.results
            arrays = [_as_array(each) for each in batch]
            rate = float(rates[0]) if rates else None
            self._loop.after_step(Step(float(loss), arrays or None, rate))


def _set_seeds(seed: int) -> None:
    """Set the seed of the graph, and of the initial values of `tf.layers`, which Keras 2 draws."""
    if os.environ.get("TF_USE_LEGACY_KERAS") == "1" and importlib.util.find_spec("tf_keras"):
        tf.keras.utils.set_random_seed(seed)
    tf1.set_random_seed(seed)


def _operation(fetch: Any) -> Any:
    return getattr(fetch, "op", fetch)


def _as_array(value: Any) -> np.ndarray[Any, Any]:
    """Return a fetched value as an array; text as fixed-length bytes."""
    array = np.asarray(value)
    return array.astype(np.bytes_) if array.dtype == object else array


@contextmanager
def _saving(saves: bool) -> Iterator[None]:
    """Let no `Saver` save in a control that must write no checkpoint."""
    save = tf1.train.Saver.save
    if not saves:
        tf1.train.Saver.save = lambda *_, **__: None
    try:
        yield
    finally:
        tf1.train.Saver.save = save


@contextmanager
def _explaining_keras_2() -> Iterator[None]:
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
