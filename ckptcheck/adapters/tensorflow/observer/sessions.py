"""Training steps of TensorFlow 1: runs of a session that train, as their graph shows."""

import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tensorflow.batches import as_array
from ckptcheck.adapters.tensorflow.observer.live import Live
from ckptcheck.adapters.tensorflow.observer.loops import Counts
from ckptcheck.observer.observation import Observation
from ckptcheck.observer.wrapping import around

tf1 = tf.compat.v1

# What the operations of optimizers begin with.
_UPDATES = ("Apply", "ResourceApply", "SparseApply", "ResourceSparseApply")
# The operations by which a program may train without an optimizer. Initialisers and restores
# assign, and change nothing by a difference.
_CHANGES = ("AssignSub", "AssignAdd", "AssignSubVariableOp", "AssignAddVariableOp")


def watch(observation: Observation, live: Live, counts: Counts) -> None:
    """Watch every session of the process."""
    _Sessions(observation, live, counts).watch()


class _Sessions:
    def __init__(self, observation: Observation, live: Live, counts: Counts) -> None:
        self._observation = observation
        self._live = live
        self._counts = counts
        self._thread = threading.local()
        self._trains: weakref.WeakKeyDictionary[Any, dict[tuple[str, ...], bool]]
        self._trains = weakref.WeakKeyDictionary()

    def watch(self) -> None:
        around(tf1.Session, "run", self._on_run)
        around(tf1.Session, "close", self._on_close)

    def _on_run(
        self,
        call: Callable[..., Any],
        session: Any,
        /,
        fetches: Any,
        feed_dict: Any = None,
        *given: Any,
        **named: Any,
    ) -> Any:
        if getattr(self._thread, "is_inside", False):
            return call(session, fetches, feed_dict, *given, **named)
        self._thread.is_inside = True
        try:
            return self._outermost(call, session, fetches, feed_dict, given, named)
        finally:
            self._thread.is_inside = False

    def _outermost(
        self,
        call: Callable[..., Any],
        session: Any,
        fetches: Any,
        feed_dict: Any,
        given: tuple[Any, ...],
        named: dict[str, Any],
    ) -> Any:
        if not self._is_step(session, fetches):
            return call(session, fetches, feed_dict, *given, **named)
        self._live.session, self._live.has_trained = session, True
        self._observation.before("Session.run")
        result = call(session, fetches, feed_dict, *given, **named)
        self._note_global_step(session)
        loss = next(_numbers(result), None)
        batch = [np.array(as_array(value)) for value in _fed(feed_dict or {})]
        self._observation.framework = "tf1"
        self._observation.stepped("Session.run", loss, batch)
        return result

    def _note_global_step(self, session: Any) -> None:
        with session.graph.as_default():
            step = tf1.train.get_global_step(session.graph)
        if step is not None:
            self._counts.noted["global_step"] = int(session.run(step))

    def _on_close(self, call: Callable[..., Any], session: Any, /) -> None:
        if session is self._live.session and not getattr(self._thread, "is_inside", False):
            self._thread.is_inside = True
            try:
                self._observation.at_end_of_state()
            finally:
                self._thread.is_inside = False
        call(session)

    def _is_step(self, session: Any, fetches: Any) -> bool:
        operations = list(_operations(session.graph, fetches))
        known = self._trains.setdefault(session.graph, {})
        key = tuple(each.name for each in operations)
        if key not in known:
            known[key] = _trains(session.graph, operations)
        return known[key]


def _operations(graph: Any, fetches: Any) -> Iterator[Any]:
    """Yield the operations that are fetched, whatever structure the fetches have."""
    for leaf in _leaves(fetches):
        # A sparse tensor consists of several tensors.
        for item in tf.nest.flatten(leaf, expand_composites=True):
            try:
                element = graph.as_graph_element(item, allow_tensor=True, allow_operation=True)
            except (KeyError, TypeError, ValueError):
                continue  # the session says itself what is wrong with it
            yield getattr(element, "op", element)


def _trains(graph: Any, operations: list[Any]) -> bool:
    """Return whether operations lead to one that updates weights or counts a step."""
    trained = {each.op for each in graph.get_collection(tf1.GraphKeys.TRAINABLE_VARIABLES)}
    step = tf1.train.get_global_step(graph)
    counted = set() if step is None else {step.op}
    seen: set[Any] = set()
    waiting = list(operations)
    while waiting:
        operation = waiting.pop()
        if operation in seen:
            continue
        seen.add(operation)
        if operation.type.startswith(_UPDATES):
            return True
        if operation.type in _CHANGES and operation.inputs[0].op in trained | counted:
            return True
        waiting += [*(each.op for each in operation.inputs), *operation.control_inputs]
    return False


def _fed(feed: Mapping[Any, Any]) -> Iterator[Any]:
    """Yield the arrays that are fed; the value of a sparse tensor is a tuple of several."""
    for value in feed.values():
        yield from value if hasattr(value, "_fields") else (value,)


def _numbers(result: Any) -> Iterator[float]:
    """Yield the results that are single floating-point numbers."""
    for value in _leaves(result):
        if isinstance(value, float | np.floating):
            yield float(value)


def _leaves(nest: Any) -> Iterator[Any]:
    """Yield what a structure of fetches holds. Hooks are keys of some, which have no order."""
    if isinstance(nest, Mapping):
        nest = list(nest.values())
    if isinstance(nest, list | tuple):
        for item in nest:
            yield from _leaves(item)
    elif nest is not None:
        yield nest
