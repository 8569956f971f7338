"""The live state of a process: every variable alive, in eager mode and in a session."""

import gc
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tensorflow import _internals, keras_2
from ckptcheck.adapters.tensorflow.created import Created
from ckptcheck.adapters.tensorflow.graph_variables import by_op_name, is_in_graph, kinds_of
from ckptcheck.adapters.tensorflow.variables import OPTIMIZERS, parts_of, settings_of
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from ckptcheck.observer.wrapping import after, guarded
from ckptcheck.run.digests import digest

tf1 = tf.compat.v1

_TRAINABLE = tf1.GraphKeys.TRAINABLE_VARIABLES


@dataclass(frozen=True)
class _Held:
    """A variable's resource, which outlives the Python object of the variable."""

    kind: Kind
    handle: Any
    dtype: Any

    def read(self) -> Tensor:
        value = tf.raw_ops.ReadVariableOp(resource=self.handle, dtype=self.dtype)
        return Tensor(self.kind, np.array(value))


@dataclass(frozen=True)
class Reading:
    """The live state at one moment: its tensors, and where to read them again."""

    tensors: Mapping[str, Tensor]
    held: Mapping[str, _Held]
    live: "Live"

    def again(self, *kinds: Kind) -> Mapping[str, Tensor]:
        """Return the present values, also of variables that the program has dropped since.

        `kinds`: only these; none: all.
        """
        with tf.init_scope():
            read = {
                name: held.read()
                for name, held in self.held.items()
                if not kinds or held.kind in kinds
            }
        if kinds:
            return read
        return {**self.tensors, **read, **self.live.in_session()}


class Live:
    """What holds state in this process, noted when it is created.

    Attributes:
        session: the session that trains, or None.
        has_trained: whether that session, or an earlier one, has made a step.
    """

    def __init__(self) -> None:
        self.session: Any = None
        self.has_trained = False
        self._in_session: dict[str, Tensor] = {}
        # Each reading collects garbage first. What has been imported by now is none, and would take
        # most of the time.
        gc.freeze()
        self._created = Created()
        self._created.watch_process(guarded)
        self._objects: list[weakref.ref[Any]] = []
        after(tf.random.Generator, "__init__", self._note)

    def watch_keras(self, package: Any) -> None:
        """Note what a version of Keras creates."""
        for kind in _kinds_to_note(package):
            after(kind, "__init__", self._note)

    def _note(self, item: Any, /, *_: Any, **__: Any) -> None:
        # A constructor may call that of its base class.
        if not self._objects or self._objects[-1]() is not item:
            self._objects.append(weakref.ref(item))

    def read(self) -> Reading:
        """Return the live state."""
        others = [each for each in self._created.variables() if not is_in_graph(each)]
        objects = list(self._roots())
        with tf.init_scope():
            held = {
                name: _Held(kind, first_of(variable).handle, variable.dtype)
                for name, kind, variable in parts_of(objects, others)
            }
            tensors = {name: each.read() for name, each in held.items()}
        for name, value in settings_of(objects):
            tensors.setdefault(name, Tensor(Kind.HYPERPARAMETER, np.array(value)))
        return Reading({**tensors, **self.in_session()}, held, self)

    def in_session(self) -> dict[str, Tensor]:
        """Return the variables of the session that trains; the last ones, where it is closed."""
        if self.session is None:
            return {}
        try:
            self._in_session = _in_session(self.session)
        except RuntimeError:  # "Attempted to use a closed Session."
            return self._in_session
        return self._in_session

    def optimizers(self) -> list[Any]:
        """Return every optimizer alive, in order of creation."""
        return [each for each in self._alive() if _is_optimizer(each)]

    def poison(self, seed: int, spared: Collection[str]) -> None:
        """Add noise to every trainable variable, so that a restore that does nothing shows.

        Args:
            seed: the seed of the noise.
            spared: digests of values that stay: a restore that was not seen has brought them.
        """
        for name, variable in self._trainable():
            value = self._value(variable)
            if value is None or digest(value) in spared or value.dtype.kind not in "fV":
                continue
            draw = np.random.default_rng([seed, *name.encode()])
            self._put(variable, (value + draw.normal(size=value.shape)).astype(value.dtype))

    def _trainable(self) -> Iterator[tuple[str, Any]]:
        """Yield every trainable variable, by name, in eager mode and in the session."""
        graph = [] if self.session is None else self.session.graph.get_collection(_TRAINABLE)
        eager = (each for each in self._created.variables() if not is_in_graph(each))
        for variable in (*(each for each in eager if each.trainable), *graph):
            yield str(variable.name), variable

    def _value(self, variable: Any) -> Any:
        """Return the value of a variable; None: it has none yet, which shows by itself."""
        if not is_in_graph(variable):
            return np.array(variable)
        try:
            return self.session.run(variable)
        except tf.errors.FailedPreconditionError:
            return None

    def _put(self, variable: Any, value: Any) -> None:
        if is_in_graph(variable):
            variable.load(value, self.session)
        else:
            with tf.init_scope():
                variable.assign(value)

    def _alive(self) -> list[Any]:
        alive = (reference() for reference in self._objects)
        return list({id(each): each for each in alive if each is not None}.values())

    def _roots(self) -> Iterator[Any]:
        """Yield every top-level object that holds eager variables."""
        alive = self._alive()
        layers = [each for each in alive if _is_layer(each)]
        parts = {id(part) for each in layers for part in _inner(each)}
        # A model that is not built yet has no variables, though its optimizer may have some.
        held = [each for each in alive if any(map(_is_eager, _variables(each)))]
        models = (each for each in held if _is_layer(each) and keras_2.is_model(each))
        owned = {id(getattr(each, "optimizer", None)) for each in models}
        for each in held:
            if id(each) in parts or (id(each) in owned and _is_optimizer(each)):
                continue
            if not _is_metric(each):
                yield each


def _kinds_to_note(package: Any) -> tuple[type, ...]:
    if package is keras:
        return keras.Layer, keras.optimizers.Optimizer, keras.random.SeedGenerator
    optimizers = package.optimizers
    return package.layers.Layer, optimizers.Optimizer, optimizers.legacy.Optimizer


def _is_layer(item: Any) -> bool:
    return isinstance(item, keras.Layer) or (
        keras_2.is_of_keras_2(item) and not keras_2.is_optimizer(item)
    )


def _is_optimizer(item: Any) -> bool:
    return isinstance(item, OPTIMIZERS) or keras_2.is_optimizer(item)


def _is_metric(item: Any) -> bool:
    return isinstance(item, keras_2.keras_of(item).metrics.Metric)


def _inner(layer: Any) -> Iterator[Any]:
    if keras_2.is_of_keras_2(layer):
        yield from _internals.inner_layers_of_keras_2(layer)
        return
    yield from _internals.inner_layers(layer)
    yield from _internals.own_seed_generators(layer)


def _variables(item: Any) -> Sequence[Any]:
    if isinstance(item, keras.random.SeedGenerator | tf.random.Generator):
        return [item.state]
    try:
        held: Any = item.variables
    except ValueError:  # a Sequential of Keras 2 has none before it knows its input
        return []
    return list(held() if callable(held) else held)


def _is_eager(variable: Any) -> bool:
    inside = variable.value if isinstance(variable, keras.Variable) else variable
    return not is_in_graph(first_of(inside))


def first_of(variable: Any) -> Any:
    """Return the first replica of a mirrored variable; any other variable as it is."""
    replicas = getattr(variable, "values", ())
    return replicas[0] if isinstance(replicas, tuple) and replicas else variable


def _in_session(session: Any) -> dict[str, Tensor]:
    """Return every global variable of a session that is initialised, without a new operation."""
    variables = by_op_name(session.graph.get_collection(tf1.GraphKeys.GLOBAL_VARIABLES))
    kinds = kinds_of(variables, session.graph)
    try:
        values = session.run(variables)
    except tf.errors.FailedPreconditionError:
        values = dict(_initialised(session, variables))
    return {name: Tensor(kinds[name], np.asarray(value)) for name, value in values.items()}


def _initialised(session: Any, variables: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, variable in variables.items():
        try:
            yield name, session.run(variable)
        except tf.errors.FailedPreconditionError:
            continue
