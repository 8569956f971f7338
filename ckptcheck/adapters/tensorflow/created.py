"""Track the TensorFlow variables that a job creates while it is built, restored and stepped."""

import gc
import sys
import weakref
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from ckptcheck.adapters.tensorflow import _internals
from ckptcheck.adapters.tensorflow.keras_2 import makers_of_no_state
from ckptcheck.adapters.tensorflow.variables import inner

# Where TensorFlow, and Keras in both versions, are installed.
_LIBRARIES = tuple(
    str(Path(keras.__file__).parents[1] / name) for name in ("keras", "tf_keras", "tensorflow")
)

_Add = Callable[[Any, str | None], None]


class Created:
    """Every live variable that was created while `watching`.

    Variables of metrics and save counters are left out: the model or the job's attributes lead
    to the metrics in use. Set `paused` while code creates variables that are no state: during
    an evaluation, and after the first step.
    """

    def __init__(self) -> None:
        self._references: list[weakref.ref[Any]] = []
        self._optimizers: list[weakref.ref[Any]] = []
        self.paused = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Track the variables that any library creates inside this context."""

        def create(next_creator: Any, **arguments: Any) -> Any:
            variable = next_creator(**arguments)
            self._add(variable, arguments.get("name"))
            return variable

        with tf.variable_creator_scope(create):
            yield

    def watch_process(self, guarded: Callable[[_Add], _Add] = lambda add: add) -> None:
        """Track the variables that this process creates from now on, in any thread and graph.

        Args:
            guarded: returns a function that is called instead of the one that tracks a variable.
        """
        _internals.on_new_variable(guarded(self._add))

    def _add(self, variable: Any, name: str | None) -> None:
        if not self.paused and not _is_no_state(name):
            self._references.append(weakref.ref(variable))
            self._optimizers += map(weakref.ref, _creating(keras.optimizers.Optimizer))

    def forget(self, identities: Container[int]) -> None:
        """Stop tracking the variables with these `id`s."""
        self._references = [
            weakref.ref(variable) for variable in self.variables() if id(variable) not in identities
        ]
        self._optimizers = [
            reference
            for reference in self._optimizers
            if (optimizer := reference())
            and not any(id(inner(variable)) in identities for variable in optimizer.variables)
        ]

    def variables(self) -> list[Any]:
        """Return the tracked variables that anything leads to, in order of creation.

        Layers and optimizers form reference cycles. When the garbage collector frees those that
        nothing leads to is chance, so it runs here.
        """
        gc.collect()
        return [variable for reference in self._references if (variable := reference()) is not None]

    def optimizers(self) -> list[Any]:
        """Return the built optimizers whose variables are tracked, wherever they are kept.

        One that is not built, as after a second `compile`, may never train anything.
        """
        alive = [optimizer for reference in self._optimizers if (optimizer := reference())]
        return list({id(optimizer): optimizer for optimizer in alive if optimizer.built}.values())


def _is_no_state(name: str | None) -> bool:
    """Return whether the variable being created belongs to a metric or counts saves.

    Loading a model creates metrics that it never uses; a checkpoint counts its saves; each compile
    of Keras 2 replaces a setting that is a variable.
    """
    makers: tuple[type, ...] = (keras.metrics.Metric, *makers_of_no_state())
    if name == "save_counter":
        makers += (tf.train.Checkpoint,)
    return next(_creating(makers), None) is not None or _internals.is_counter_of_keras_2(
        sys._getframe(2)
    )


def _creating(makers: Any) -> Iterator[Any]:
    """Yield the innermost object of some types whose method is creating the variable, if any."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        # Only the frames of their own methods: to read the locals of the program's functions would
        # change what `locals()` has returned there, and prolong their lives.
        is_method = code.co_argcount and code.co_varnames[0] == "self"
        is_own = is_method and code.co_filename.startswith(_LIBRARIES)
        if is_own and isinstance(maker := frame.f_locals.get("self"), makers):
            yield maker
            return
        frame = frame.f_back
