"""The variables of TensorFlow that come to be while a job is built, restored and stepped."""

import sys
import weakref
from collections.abc import Container, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf


class Created:
    """Every variable that was created while `watching`, and is still there.

    Those of metrics are left out (a model, or a job's attributes, lead to the metrics in use), and counters of saves.
    `paused` is for what makes variables that are no state: an evaluation, and whatever comes after the first step.
    """

    def __init__(self) -> None:
        self._references: list[weakref.ref[Any]] = []
        self.paused = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Notice the variables that are created meanwhile, by whatever library."""

        def create(next_creator: Any, **arguments: Any) -> Any:
            variable = next_creator(**arguments)
            if not self.paused and not _is_no_state(arguments.get("name")):
                self._references.append(weakref.ref(variable))
            return variable

        with tf.variable_creator_scope(create):
            yield

    def forget(self, identities: Container[int]) -> None:
        """Take no more note of some variables, given by their identity."""
        self._references = [
            weakref.ref(variable) for variable in self.variables() if id(variable) not in identities
        ]

    def variables(self) -> list[Any]:
        """Return those that are still there, in the order in which they were created."""
        return [variable for reference in self._references if (variable := reference()) is not None]


def _is_no_state(name: str | None) -> bool:
    """Return whether what is making a variable is no part of training.

    That is a metric (a model that is loaded makes some that it never uses), or a checkpoint, which counts its saves.
    """
    makers = (
        (keras.metrics.Metric, tf.train.Checkpoint)
        if name == "save_counter"
        else keras.metrics.Metric
    )
    frame: Any = sys._getframe(2)
    while frame is not None:
        if isinstance(frame.f_locals.get("self"), makers):
            return True
        frame = frame.f_back
    return False
