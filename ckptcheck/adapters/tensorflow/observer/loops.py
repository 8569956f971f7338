"""Training steps of loops in eager mode: calls after which an optimizer has counted a step.

A step is an outermost call of a `tf.function` or of a method such as `train_on_batch`. Without such
a call it is what happens from a `GradientTape` to the update of the optimizer.
"""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tensorflow import _internals
from ckptcheck.adapters.tensorflow.batches import arrays_of
from ckptcheck.adapters.tensorflow.observer.live import Live, first_of
from ckptcheck.adapters.tensorflow.watch import rate_of
from ckptcheck.observer.observation import Observation
from ckptcheck.observer.reading import Batch, Item, batch_of
from ckptcheck.observer.wrapping import around

# What stands for a loop that computes gradients in eager mode.
_TAPE = "GradientTape"
# What is kept of the data of one step: an accumulating step reads several batches.
_MOST = 16


class Counts:
    """How many steps each optimizer has counted, and further counts that an edge notes.

    Attributes:
        noted: counts by name, such as the position of `fit`.
    """

    def __init__(self, live: Live) -> None:
        self.noted: dict[str, int] = {}
        self._live = live

    def read(self) -> Mapping[str, int]:
        """Return all counts by name."""
        counted = max(self._iterations(), default=None)
        return self.noted | ({} if counted is None else {"iterations": counted})

    def taken(self) -> dict[int, int | None]:
        """Return the steps that each optimizer has counted so far, by `id`: see `advanced`."""
        return {id(each): iterations_of(each) for each in self._live.optimizers()}

    def advanced(self, before: Mapping[int, int | None]) -> Any:
        """Return the optimizer that has counted a step since `before` was taken, or None.

        One that was created since has counted from 0. A count that could not be read before is
        compared with nothing.
        """
        for each in self._live.optimizers():
            now, then = iterations_of(each), before.get(id(each), 0)
            if now is not None and then is not None and now > then:
                return each
        return None

    def rates(self) -> dict[int, float]:
        """Return the learning rate of each optimizer for its next step, by `id`."""
        rates = ((id(each), _as_number(rate_of(each))) for each in self._live.optimizers())
        return {key: rate for key, rate in rates if rate is not None}

    def _iterations(self) -> list[int]:
        counts = map(iterations_of, self._live.optimizers())
        return [count for count in counts if count is not None]


def iterations_of(optimizer: Any) -> int | None:
    """Return the steps that an optimizer has counted; None: it is in a graph."""
    count = getattr(optimizer, "iterations", None)
    inside = first_of(count.value if isinstance(count, keras.Variable) else count)
    if (
        inside is None
        or not isinstance(inside, tf.Variable)
        or tf.is_symbolic_tensor(inside.handle)
    ):
        return None
    return int(inside.numpy())


def _as_number(rate: Any) -> float | None:
    """Return a learning rate as a number; None: it cannot be read."""
    inside = first_of(rate.value if isinstance(rate, keras.Variable) else rate)
    try:
        return float(inside.numpy() if hasattr(inside, "numpy") else inside)
    except (TypeError, ValueError, RuntimeError, NotImplementedError):
        return None


class Watcher:
    """Follows the calls of the thread that makes steps, of which the outermost may be steps.

    That is the thread of the first step. Before that it is the main one, or a different one while
    the main one has called nothing. What further threads call prepares data.
    """

    def __init__(self, observation: Observation, counts: Counts) -> None:
        self._observation = observation
        self._counts = counts
        self._thread = threading.local()
        # The thread that makes steps; None: none has made one yet.
        self._stepping: int | None = None
        self._main_has_called = False
        # Since the last step: elements of datasets, arguments of models, and those of functions
        # that made no step. Each with the number of saves before it.
        self._fetched: deque[Item] = deque(maxlen=_MOST)
        self._given: deque[Item] = deque(maxlen=_MOST)
        self._passed: deque[Item] = deque(maxlen=_MOST)
        self._target: Any = None
        self._has_tape = False  # since the last step
        self._open: set[int] = set()  # the tapes that still record
        self._reads_input = False  # whether a model has yet to be called under the tape

    def watch(self) -> None:
        """Watch functions, tapes and datasets."""
        for kind in (type(tf.function(lambda: None)), _internals.concrete_function_class()):
            around(kind, "__call__", self._on_function)
        around(tf.distribute.Strategy, "run", self._on_strategy)
        around(tf.GradientTape, "__enter__", self._on_tape)
        around(tf.GradientTape, "__exit__", self._on_tape_end)
        around(tf.GradientTape, "gradient", self._on_gradient)
        around(_internals.iterator_class(), "__next__", self._on_next)

    def watch_keras(self, package: Any) -> None:
        """Watch the layers, models and optimizers of a version of Keras."""
        around(package.layers.Layer, "__call__", self._on_layer)
        for name in ("evaluate", "predict", "test_on_batch", "predict_on_batch"):
            around(package.Model, name, self._on_other)
        around(package.Model, "train_on_batch", self._on_batch)
        if package is keras:
            around(package.optimizers.Optimizer, "apply", self._on_update)
            return
        for kind in (package.optimizers.Optimizer, package.optimizers.legacy.Optimizer):
            around(kind, "apply_gradients", self._on_update)

    @contextmanager
    def inside(self) -> Iterator[bool]:
        """Take no call in the block for a step. Yield whether the block is the outermost."""
        self._thread.depth = self._depth + 1
        self._main_has_called = self._main_has_called or _is_main()
        try:
            yield self._depth == 1
        finally:
            self._thread.depth = self._depth - 1

    @property
    def _depth(self) -> int:
        depth: int = getattr(self._thread, "depth", 0)
        return depth

    def claim(self) -> None:
        """Take this thread for the one that makes steps, unless there is one."""
        if self._stepping is None:
            self._stepping = threading.get_ident()

    def _is_outside(self) -> bool:
        return not self._depth and tf.executing_eagerly() and self._may_step()

    def _may_step(self) -> bool:
        """Return whether this thread is the one that makes steps, as far as is known."""
        if self._stepping is not None:
            return self._stepping == threading.get_ident()
        return _is_main() or not self._main_has_called

    def _on_function(
        self, call: Callable[..., Any], function: Any, /, *given: Any, **named: Any
    ) -> Any:
        if not self._is_outside() or self._open:  # a forward pass of an eager step
            return call(function, *given, **named)
        return self._outermost(id(function), call, (function, *given), named)

    def _on_strategy(
        self, call: Callable[..., Any], strategy: Any, /, fn: Any, *given: Any, **named: Any
    ) -> Any:
        if not self._is_outside():
            return call(strategy, fn, *given, **named)
        # Each replica has a thread of its own, for each call.
        what = ("Strategy.run", getattr(fn, "__name__", ""))
        return self._outermost(what, call, (strategy, fn, *given), named)

    def _on_batch(self, call: Callable[..., Any], model: Any, /, *given: Any, **named: Any) -> Any:
        if not self._is_outside():
            return call(model, *given, **named)
        return self._outermost(id(model), call, (model, *given), named)

    def _on_other(self, call: Callable[..., Any], model: Any, /, *given: Any, **named: Any) -> Any:
        is_outside = self._is_outside()
        with self.inside():
            result = call(model, *given, **named)
        if is_outside and call.__name__ in ("evaluate", "test_on_batch"):
            loss = _first_number(result)
            if loss is not None:
                self._observation.evaluated(loss)
        return result

    def _outermost(
        self,
        what: Hashable,
        call: Callable[..., Any],
        given: tuple[Any, ...],
        named: Mapping[str, Any],
    ) -> Any:
        with self.inside():
            self._observation.before(what)
            rates, counts = self._counts.rates(), self._counts.taken()
            result = call(*given, **named)
            optimizer = self._counts.advanced(counts) if self._may_step() else None
        if optimizer is None:
            self._observation.idle(what)
            self._passed.append((self._observation.saves(), _with_axes((given[1:], named))))
            return result
        batch = _arrays((given[1:], named)), None
        if self._has_tape:
            self._observation.idle(_TAPE)
        read = batch if batch[0] else self._read(self._fetched, self._passed)
        self._stepped(what, _first_number(result), read, rates.get(id(optimizer)))
        return result

    def _read(self, *sources: Iterable[Item]) -> Batch:
        return batch_of(sources, self._observation.saves(), _arrays)

    def _stepped(self, what: Hashable, loss: float | None, read: Batch, rate: float | None) -> None:
        self.claim()
        self._forget()
        self._observation.framework = "tf2"
        batch, late = read
        self._observation.stepped(what, loss, batch, rate, late)

    def _on_tape(self, call: Callable[..., Any], tape: Any, /, *given: Any) -> Any:
        if self._is_outside():
            if not self._open:
                if self._has_tape:
                    self._observation.idle(_TAPE)
                self._has_tape = self._reads_input = True
                self._observation.before(_TAPE)
            self._open.add(id(tape))
        return call(tape, *given)

    def _on_tape_end(self, call: Callable[..., Any], tape: Any, /, *given: Any) -> Any:
        self._open.discard(id(tape))
        return call(tape, *given)

    def _on_gradient(
        self, call: Callable[..., Any], tape: Any, /, target: Any, *given: Any, **named: Any
    ) -> Any:
        if self._is_outside():
            self._target = target
        return call(tape, target, *given, **named)

    def _on_update(
        self, call: Callable[..., Any], optimizer: Any, /, *given: Any, **named: Any
    ) -> Any:
        if not self._is_outside():
            return call(optimizer, *given, **named)
        if not self._has_tape:
            self._observation.before(_TAPE)
        with self.inside():
            rates, counts = self._counts.rates(), self._counts.taken()
            result = call(optimizer, *given, **named)
            has_stepped = self._counts.advanced(counts) is not None and self._may_step()
        if has_stepped:
            read = self._read(self._fetched, self._given, self._passed)
            self._stepped(_TAPE, _first_number(self._target), read, rates.get(id(optimizer)))
        return result

    def _on_next(self, call: Callable[..., Any], iterator: Any, /) -> Any:
        element = call(iterator)
        if self._is_outside():
            self._fetched.append((self._observation.saves(), element))
        return element

    def _on_layer(self, call: Callable[..., Any], layer: Any, /, *given: Any, **named: Any) -> Any:
        if not self._is_outside() or not self._open:
            return call(layer, *given, **named)
        if self._reads_input:  # later layers are given what earlier ones computed
            self._given.append((self._observation.saves(), (given, named)))
            self._reads_input = False
        with self.inside():
            return call(layer, *given, **named)

    def _forget(self) -> None:
        self._fetched.clear()
        self._given.clear()
        self._passed.clear()
        self._target = None
        self._has_tape = False


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def _arrays(items: Any) -> list[Any]:
    """Return the arrays in nested arguments that hold numbers or text, as copies."""
    tensors = [
        item
        for item in tf.nest.flatten(items)
        if isinstance(item, np.ndarray) or (tf.is_tensor(item) and not _is_resource(item))
    ]
    return [np.array(array) for array in arrays_of(tensors)]


def _with_axes(items: Any) -> list[Any]:
    """Return what has a shape in nested arguments: single numbers are no batch."""
    return [item for item in tf.nest.flatten(items) if getattr(item, "ndim", 0)]


def _is_resource(item: Any) -> bool:
    return isinstance(item, tf.Variable) or item.dtype in (tf.resource, tf.variant)


def _first_number(result: Any) -> float | None:
    """Return the first scalar that is a floating-point number."""
    for item in tf.nest.flatten(result):
        if isinstance(item, float | np.floating):
            return float(item)
        if tf.is_tensor(item) and item.dtype.is_floating and item.shape.rank == 0:
            return float(item)
    return None
