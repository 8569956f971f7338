"""`SessionJob`: a TensorFlow 1 graph that a `MonitoredTrainingSession` trains and restores."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tensorflow.contents import contents
from ckptcheck.adapters.tensorflow.network import NetworkJob, explaining_keras_2
from ckptcheck.errors import NotVerifiedError
from ckptcheck.job.protocol import Loop, Restored, Step

tf1 = tf.compat.v1


class SessionJob(NetworkJob):
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
        with self.graph.as_default(), explaining_keras_2(), _saving(loop.saves):
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
