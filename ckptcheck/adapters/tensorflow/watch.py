"""The callback that tells of the steps of `fit`, and the train step that is made to show what it does."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tensorflow import _internals
from ckptcheck.adapters.tensorflow.created import Created
from ckptcheck.errors import NotVerifiedError
from ckptcheck.job.protocol import Loop, Step

# Where the wrapped train step puts what it did into the logs; taken out again before Keras sees them.
SHOWN = "ckptcheck"


class Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells a loop of the steps of `fit`: loss, batch and learning rate of each."""

    def __init__(self, loop: Loop, steps_per_epoch: int, created: Created) -> None:
        super().__init__()
        self._loop = loop
        self._steps_per_epoch = steps_per_epoch
        self._created = created
        self._shown: Any = None
        self._loss: Any = None
        self.position = 0
        self._epoch = 0
        self._ended = 0  # batches of this epoch
        self._announced = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Have the train step show what it does."""
        model = self.model
        if model.steps_per_execution != 1:
            raise NotVerifiedError(
                f"its model runs {model.steps_per_execution} steps at once, which cannot be told apart: compile it with "
                "steps_per_execution=1"
            )
        steps = self.params.get("steps")
        if steps is not None and steps != self._steps_per_epoch:
            raise NotVerifiedError(
                f"its steps_per_epoch is {self._steps_per_epoch}, but an epoch of its fit has {steps} batches. "
                f"Write steps_per_epoch = {steps}"
            )
        optimizer = model.optimizer
        if (
            optimizer is not None
            and not optimizer.built
            and all(layer.built for layer in _internals.all_layers(model))
        ):
            # What the first step would do. Slots that wait for their values from a checkpoint get them here.
            optimizer.build(model.trainable_variables)
        self._show_steps(model)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Take note of the position."""
        self._epoch = epoch
        self._ended = 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Tell that a step comes."""
        if self._ended == self._steps_per_epoch:
            return  # of data whose length is not known Keras asks for one batch more
        self._announced = True
        self.position = self._epoch * self._steps_per_epoch + batch
        self._loop.before_step()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Tell what the step did."""
        if not self._announced:
            raise NotVerifiedError(
                f"its steps_per_epoch is {self._steps_per_epoch}, but an epoch of its fit has more batches than that"
            )
        self._announced = False
        self._ended += 1
        self._created.paused = (
            True  # what is created from now on is nothing that training began with
        )
        if self._shown is None:
            self._loop.after_step(Step(loss=(logs or {}).get("loss", "not shown")))
            return
        numbers, *data = self._shown
        loss, rate = numbers.numpy().tolist()
        self._loop.after_step(
            Step(loss, list(map(_as_array, data)), learning_rate=None if math.isnan(rate) else rate)
        )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Tell that this is where people save."""
        if self._ended != self._steps_per_epoch:
            raise NotVerifiedError(
                f"its steps_per_epoch is {self._steps_per_epoch}, but epoch {epoch} of its fit had {self._ended} batches"
            )
        self._loop.may_save()

    def _show_steps(self, model: Any) -> None:
        """Let the train step return its loss, its learning rate and its batch too.

        They come out of the same graph: what is recorded is what was used, whatever reads ahead. Keras' own `loss` is the
        mean over the epoch so far.
        """
        if getattr(model.train_function, "__name__", "") == SHOWN:
            return  # by an earlier call of fit
        train_step, compute_loss = model.train_step, model.compute_loss

        def shown_loss(*arguments: Any, **named: Any) -> Any:
            self._loss = compute_loss(*arguments, **named)
            return self._loss

        def shown_step(*arguments: Any, **named: Any) -> Any:
            self._loss = None
            optimizer = model.optimizer
            rate = np.nan if optimizer is None else tf.convert_to_tensor(optimizer.learning_rate)
            logs = train_step(*arguments, **named)
            if not isinstance(logs, dict):
                return logs
            loss = logs.get("loss", np.nan) if self._loss is None else self._loss
            # Both in one tensor, wide enough to hold either exactly: every output of the graph costs time.
            numbers = tf.stack([tf.cast(loss, tf.float64), tf.cast(rate, tf.float64)])
            data = tf.nest.flatten((arguments, named), expand_composites=True)
            return logs | {SHOWN: (numbers, *(item for item in data if tf.is_tensor(item)))}

        model.compute_loss, model.train_step = shown_loss, shown_step
        model.make_train_function(force=True)
        train_function = model.train_function

        def train(iterator: Any) -> Any:
            logs = train_function(iterator)
            self._shown = logs.pop(SHOWN, None) if isinstance(logs, dict) else None
            return logs

        train.__name__ = SHOWN
        model.train_function = train


def _as_array(tensor: Any) -> Any:
    """Return a tensor as an array, without a copy where it has a buffer; text as bytes of one length."""
    if tensor.dtype == tf.string:
        return np.asarray(tensor.numpy()).astype(np.bytes_)
    try:
        return np.asarray(memoryview(tensor))
    except (TypeError, ValueError, BufferError, NotImplementedError):  # such as bfloat16
        return np.asarray(tensor)
