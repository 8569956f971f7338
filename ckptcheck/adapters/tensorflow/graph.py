"""`GraphJob`: a TensorFlow 1 graph that a `Session` trains and `Saver`s restore."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tensorflow import _internals
from ckptcheck.adapters.tensorflow.contents import contents
from ckptcheck.adapters.tensorflow.graph_variables import by_op_name
from ckptcheck.adapters.tensorflow.network import Feed, NetworkJob
from ckptcheck.errors import UsageError
from ckptcheck.job.protocol import POISON, Restored, RestoreRefusedError, Score, Step

tf1 = tf.compat.v1

RESTORES = ("saver", "ema", "trainable", "ema-none")
RESTORES_WITHOUT_EMA = ("saver", "trainable")


class GraphJob(NetworkJob):
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
