"""Track the TensorFlow variables that a job creates while it is built, restored and stepped."""

import sys
import weakref
from collections.abc import Container, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from ckptcheck.adapters.tensorflow.keras_2 import makers_of_no_state


class Created:
    """Every live variable that was created while `watching`.

    Variables of metrics and save counters are left out: the model or the job's attributes lead
    to the metrics in use. Set `paused` while code creates variables that are no state: during
    an evaluation, and after the first step.
    """

    def __init__(self) -> None:
        self._references: list[weakref.ref[Any]] = []
        self.paused = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Track the variables that any library creates inside this context."""

        def create(next_creator: Any, **arguments: Any) -> Any:
            variable = next_creator(**arguments)
            if not self.paused and not _is_no_state(arguments.get("name")):
                self._references.append(weakref.ref(variable))
            return variable

        with tf.variable_creator_scope(create):
            yield

    def forget(self, identities: Container[int]) -> None:
        """Stop tracking the variables with these `id`s."""
        self._references = [
            weakref.ref(variable) for variable in self.variables() if id(variable) not in identities
        ]

    def variables(self) -> list[Any]:
        """Return the tracked variables that are still alive, in order of creation."""
        return [variable for reference in self._references if (variable := reference()) is not None]


def _is_no_state(name: str | None) -> bool:
    """Return whether the variable being created belongs to a metric or counts saves.

    Loading a model creates metrics that it never uses; a checkpoint counts its saves.
    """
    makers: tuple[type, ...] = (keras.metrics.Metric, *makers_of_no_state())
    if name == "save_counter":
        makers += (tf.train.Checkpoint,)
    frame: Any = sys._getframe(2)
    while frame is not None:
        if isinstance(frame.f_locals.get("self"), makers):
            return True
        frame = frame.f_back
    return False
