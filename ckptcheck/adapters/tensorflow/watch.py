"""The callback that reports the steps of `fit`, from a train step that also returns its batch."""

import math
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tensorflow import _internals, keras_2
from ckptcheck.adapters.tensorflow.batches import arrays_of
from ckptcheck.adapters.tensorflow.created import Created
from ckptcheck.errors import NotVerifiedError
from ckptcheck.job.protocol import Lasting, Loop, Step

Callback = TypeVar("Callback")

# The wrapped train step's name, and its key in the logs; removed before Keras sees them.
SHOWN = "ckptcheck"


class CountedError(BaseException):
    """Ends `fit` once its batches are counted. A `BaseException`, so that no job catches it."""


class StepCount(keras.callbacks.Callback):  # type: ignore[misc]
    """Counts the batches of an epoch of `fit`, and ends it with `CountedError`.

    Attributes:
        steps: number of batches in an epoch; None: no `fit` got this callback.
    """

    steps: int | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Take the number that Keras knows."""
        self.steps = self.params.get("steps") or 0
        if self.steps:
            raise CountedError

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count a batch."""
        assert self.steps is not None
        self.steps += 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """End with the first epoch."""
        raise CountedError


class StepReader(keras.callbacks.Callback):  # type: ignore[misc]
    """Reads loss, batch and learning rate of each step of `fit`."""

    def __init__(self) -> None:
        super().__init__()
        self._train: Any = None  # the train function of the model, wrapped
        self._shown: Any = None
        self.has_run = False  # whether the train function ran in this step

    def begin_step(self) -> None:
        """Prepare for a step: a callback may have had the train function made anew."""
        self.has_run, self._shown = False, None
        if self.model.train_function not in (self._train, None):  # None: Keras raises, as it should
            self.show_steps(self.model)

    def step(self, logs: Any) -> Step:
        """Return what the finished step did, given the logs of its end."""
        if self._shown is None:
            return Step(loss=(logs or {}).get("loss", "not shown"))
        numbers, *data = self._shown
        loss, rate = numbers.numpy().tolist()
        return Step(loss, Lasting(arrays_of(data)), None if math.isnan(rate) else rate)

    def show_steps(self, model: Any) -> None:
        """Take what each step shows: its loss, its learning rate and its batch.

        Called again whenever a callback has had the train function made anew.
        """
        if getattr(model.train_step, "__name__", "") != SHOWN:
            _wrap_step(model)
            model.make_train_function(force=True)
        # One that an earlier callback of ckptcheck wrapped is wrapped once.
        train_function = getattr(model.train_function, SHOWN, model.train_function)

        def train(iterator: Any) -> Any:
            logs = train_function(iterator)
            self.has_run = True
            self._shown = logs.pop(SHOWN, None) if isinstance(logs, dict) else None
            return logs

        setattr(train, SHOWN, train_function)
        self._train = model.train_function = train


class Watch(StepReader):
    """Reports each step of `fit` to a `Loop`: loss, batch and learning rate.

    Args:
        loop: what the steps are reported to.
        steps_per_epoch: number of batches that the job declares for an epoch.
        created: the job's tracked variables; tracking pauses after the first step.

    Attributes:
        began: whether a `fit` got this callback.
        position: the index of the current step, counted from 0 over all epochs.
    """

    def __init__(self, loop: Loop, steps_per_epoch: int, created: Created) -> None:
        super().__init__()
        self._loop = loop
        self._steps_per_epoch = steps_per_epoch
        self._created = created
        self.began = False
        self.position = 0
        self._epoch = 0
        self._ended = 0  # finished batches of this epoch
        self._announced = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Check the length of an epoch, and wrap the model's train step.

        Raises:
            NotVerifiedError: an epoch has a different number of batches than declared.
        """
        self.began = True
        model = self.model
        steps = self.params.get("steps")
        if steps is not None and steps != self._steps_per_epoch:
            raise NotVerifiedError(
                f"the job's steps_per_epoch is {self._steps_per_epoch}, but an epoch of model.fit "
                f"has {steps} batches. Write steps_per_epoch = {steps}"
            )
        optimizer = model.optimizer
        if keras_2.is_optimizer(optimizer):
            if model.built:
                keras_2.build(optimizer, model.trainable_variables)
        elif (
            optimizer is not None
            and not optimizer.built
            and all(layer.built for layer in _internals.all_layers(model))
        ):
            # The first step would do this. A deferred restore fills the slots here.
            optimizer.build(model.trainable_variables)
        self.show_steps(model)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start counting the batches of an epoch."""
        self._epoch = epoch
        self._ended = 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Report that a step begins."""
        if self._ended == self._steps_per_epoch:
            return  # Keras asks for one batch more when it does not know the length of the data
        self._announced = True
        self.position = self._epoch * self._steps_per_epoch + batch
        self._loop.before_step()
        self.begin_step()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Report the finished step.

        Raises:
            NotVerifiedError: the epoch has more batches than declared, or a later callback has
                replaced the train function since the step began.
        """
        if not self._announced:
            raise NotVerifiedError(
                f"the job's steps_per_epoch is {self._steps_per_epoch}, but an epoch of model.fit "
                "has more batches. Correct steps_per_epoch"
            )
        if not self.has_run:
            raise NotVerifiedError(
                f"step {self.position} was not recorded: a callback after those of ckptcheck made "
                "the train function anew. Pass yours first: callbacks=[…, *callbacks]"
            )
        self._announced = False
        self._ended += 1
        # Variables created after the first step are no part of the training state.
        self._created.paused = True
        self._loop.after_step(self.step(logs))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Report that the job may save here.

        Raises:
            NotVerifiedError: the epoch had fewer batches than declared.
        """
        if self._ended != self._steps_per_epoch:
            raise NotVerifiedError(
                f"the job's steps_per_epoch is {self._steps_per_epoch}, but epoch {epoch} of "
                f"model.fit had {self._ended} batches. Correct steps_per_epoch"
            )
        self._loop.may_save()


def _wrap_step(model: Any) -> None:
    """Make the train step also return its loss, its learning rate and its batch.

    They come from the graph of the step, so a pipeline that reads ahead cannot falsify them.
    Keras' own `loss` is the mean over the epoch so far.
    """
    train_step, compute_loss = model.train_step, model.compute_loss
    losses: list[Any] = []

    def shown_loss(*arguments: Any, **named: Any) -> Any:
        losses[:] = [compute_loss(*arguments, **named)]
        return losses[0]

    def shown_step(*arguments: Any, **named: Any) -> Any:
        losses.clear()
        optimizer = model.optimizer
        rate = np.nan if optimizer is None else tf.convert_to_tensor(rate_of(optimizer))
        logs = train_step(*arguments, **named)
        if not isinstance(logs, dict):
            return logs
        loss = losses[0] if losses else logs.get("loss", np.nan)
        # One float64 tensor holds both exactly: every output of the graph costs time.
        numbers = tf.stack([tf.cast(loss, tf.float64), tf.cast(rate, tf.float64)])
        data = tf.nest.flatten((arguments, named), expand_composites=True)
        return logs | {SHOWN: (numbers, *(item for item in data if tf.is_tensor(item)))}

    shown_step.__name__ = SHOWN
    model.compute_loss, model.train_step = shown_loss, shown_step


def of_its_keras(kind: type[Callback], model: Any) -> type[Callback]:
    """Return a class of callback that the `fit` of a model takes: each Keras wants its own base."""
    if not keras_2.is_of_keras_2(model):
        return kind
    return type(kind.__name__, (kind, keras_2.keras_of(model).callbacks.Callback), {})


def rate_of(optimizer: Any) -> Any:
    """Return the learning rate that an optimizer uses in its next step."""
    if keras_2.is_optimizer(optimizer):
        return _internals.rate_of_keras_2(optimizer)
    return optimizer.learning_rate
