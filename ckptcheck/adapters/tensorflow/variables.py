"""Find and name the variables of TensorFlow 2 and Keras 3 objects, and classify them by kind."""

import inspect
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tensorflow import _internals, keras_2
from ckptcheck.adapters.tensorflow.dtypes import letter_of
from ckptcheck.adapters.tensorflow.graph_variables import is_in_graph, read_in_default_session
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind, by_name

# The seed that a program sets at every start, also after a crash.
SEED = 0

OPTIMIZERS = (keras.optimizers.Optimizer, keras.optimizers.LossScaleOptimizer)

Named = tuple[str, Kind, Any]


def state_of(objects: Sequence[Any], others: Iterable[Any] = ()) -> dict[str, Tensor]:
    """Return the value of every variable by name, with its kind.

    Args:
        objects: models, layers, optimizers, metrics, seed generators, `tf.random.Generator`s,
            `tf.Module`s or variables.
        others: further TensorFlow variables. Those that belong to an object are ignored.

    Raises:
        TypeError: an object holds no variables.
    """
    in_graph = [item for item in objects if is_in_graph(item)]
    tensors = read_in_default_session(in_graph) if in_graph else {}
    objects = [item for item in objects if not is_in_graph(item)]
    for name, kind, variable in _named(objects, others):
        tensors |= {part: Tensor(kind, value) for part, value in _values(name, variable)}
    for name, value in settings_of(objects):
        tensors.setdefault(name, Tensor(Kind.HYPERPARAMETER, np.array(value)))
    return tensors


def parts_of(objects: Sequence[Any], others: Iterable[Any] = ()) -> Iterator[Named]:
    """Yield name, kind and TensorFlow variable of everything that `state_of` reads.

    A mirrored variable has a part for each replica.
    """
    for name, kind, variable in _named(objects, others):
        replicas = getattr(inner(variable), "values", ())
        if len(replicas) > 1:
            for number, replica in enumerate(replicas):
                yield f"{name}, replica {number}", kind, replica
        else:
            yield name, kind, inner(variable)


def style_of(objects: Sequence[Any]) -> str:
    """Return `tf1` for variables of a graph, else `tf2`."""
    return "tf1" if any(map(is_in_graph, objects)) else "tf2"


def settings_of(objects: Sequence[Any]) -> Iterator[tuple[str, float]]:
    """Yield the numeric settings of optimizers that are not variables: momentum, beta_1, …"""
    for item in objects:
        optimizer = getattr(item, "optimizer", None) if keras_2.is_model(item) else item
        if keras_2.is_optimizer(optimizer):
            yield from keras_2.settings(optimizer)
        elif isinstance(optimizer, OPTIMIZERS):
            wrapped = getattr(optimizer, "inner_optimizer", optimizer)
            # `get_config` reads the learning rate, which raises in the scope of a strategy that is
            # not the optimizer's. That rate is a variable or a schedule, and no setting.
            for name in dict.fromkeys(_arguments(type(wrapped))):
                value = None if name == "learning_rate" else getattr(wrapped, name, None)
                if isinstance(value, int | float):
                    yield f"{wrapped.name}/{name}", float(value)


def _arguments(kind: type) -> Iterator[str]:
    """Yield the names of the arguments that make an object, of its class and of its bases."""
    for each in kind.__mro__[:-1]:
        if "__init__" in vars(each):
            yield from inspect.signature(vars(each)["__init__"]).parameters


def poison(variables: Iterable[Any], seed: int) -> None:
    """Add noise to every trainable variable, see `ckptcheck.job.protocol.POISON`."""
    draw = np.random.default_rng(seed)
    for variable in variables:
        if variable.trainable and tf.as_dtype(variable.dtype).is_floating:
            noise = tf.cast(draw.normal(size=variable.shape), variable.dtype)
            variable.assign(variable + tf.reshape(noise, variable.shape))


def names_of(objects: Sequence[Any], others: Iterable[Any] = ()) -> dict[int, list[str]]:
    """Return the names that `state_of` gives, by the `id` of the TensorFlow variable."""
    named = _named(objects, others)
    return {
        id(inner(variable)): [part for part, _ in _values(name, variable)]
        for name, _, variable in named
    }


def _named(objects: Sequence[Any], others: Iterable[Any]) -> list[Named]:
    """Return name, kind and variable of every variable, each once and with a unique name."""
    known: dict[int, Named] = {}
    # Optimizers come last: slots are named after their weights.
    for item in sorted(objects, key=_is_optimizer):
        weights = [(name, variable) for name, _, variable in known.values()]
        for name, kind, variable in (
            _of_optimizer(item, weights) if _is_optimizer(item) else _variables_of(item)
        ):
            known.setdefault(id(inner(variable)), (name, kind, variable))
    # A mirrored variable consists of one variable a replica; those were created, too.
    parts = {
        id(part)
        for _, _, variable in known.values()
        for part in getattr(inner(variable), "values", ())
    }
    unused = {
        id(passing)
        for item in objects
        if keras_2.is_of_keras_2(item) and keras_2.is_model(item)
        for passing in _internals.passing_of_keras_2(item)
    }
    for variable in others:
        if id(variable) not in parts | unused:
            known.setdefault(id(variable), _of_variable(variable))
    used: set[str] = set()
    return [(_unique(name, used), kind, variable) for name, kind, variable in known.values()]


def _variables_of(item: Any) -> Iterator[Named]:
    package = keras_2.keras_of(item)
    if keras_2.is_model(item):
        yield from _of_model(item, "")
    elif isinstance(item, package.metrics.Metric):  # in Keras 2, a layer, too
        yield from _of_metric(item)
    elif isinstance(item, package.layers.Layer):
        yield from _of_model(item, f"{item.name}/")
    elif isinstance(item, keras.random.SeedGenerator):
        yield f"{item.name}/state", Kind.RNG, item.state
    elif isinstance(item, tf.random.Generator):
        yield "generator", Kind.RNG, item.state
    elif isinstance(item, tf.Variable | keras.Variable):
        yield _of_variable(item)
    elif hasattr(item, "variables"):
        yield from map(
            _of_variable, item.variables() if callable(item.variables) else item.variables
        )
    else:
        raise TypeError(
            f"{type(item).__name__} holds no variables: pass models, optimizers, variables or "
            "random generators"
        )


def _of_variable(variable: Any) -> Named:
    name = (
        str(variable.path)
        if isinstance(variable, keras.Variable)
        else str(variable.name).removesuffix(":0")
    )
    return name, _kind(name, variable), variable


def _of_model(model: Any, prefix: str) -> Iterator[Named]:
    """Yield the variables of a model or a layer, and of the metrics and optimizer of a model."""
    own = list(
        keras_2.of_layer(model, prefix, _kind)
        if keras_2.is_of_keras_2(model)
        else _of_layer(model, prefix)
    )
    seen = {id(inner(variable)) for _, _, variable in own}
    # Variables that the model tracks itself, outside of its layers.
    own += [
        _of_variable(variable) for variable in model.variables if id(inner(variable)) not in seen
    ]
    yield from own
    if keras_2.is_model(model) and _internals.is_compiled(model):
        for metric in model.metrics:
            yield from _of_metric(metric)
        if model.optimizer is not None:
            yield from _of_optimizer(
                model.optimizer, [(name, variable) for name, _, variable in own]
            )


def _of_layer(layer: Any, prefix: str) -> Iterator[Named]:
    """Yield the variables of a layer and its inner layers, named after the layers.

    Keras paths are no use as names: they depend on the order in which a model was built and loaded.
    """
    for variable in _internals.own_variables(layer):
        yield prefix + variable.name, _kind(variable.name, variable), variable
    for generator in _internals.own_seed_generators(layer):
        yield f"{prefix}seed_generator", Kind.RNG, generator.state
    for carried in _carried(layer):
        yield prefix + carried.name, _kind(carried.name, carried), carried
    for part in _internals.inner_layers(layer):
        if isinstance(part, keras.Layer):
            yield from _of_layer(part, f"{prefix}{part.name}/")


def _carried(layer: Any) -> list[Any]:
    """Return what a stateful RNN carries from batch to batch, which no `variables` list."""
    states = tf.nest.flatten(layer.states) if isinstance(layer, keras.layers.RNN) else ()
    return [state for state in states if isinstance(state, keras.Variable)]


def _of_metric(metric: Any) -> list[Named]:
    return [
        (f"metrics/{metric.name}/{variable.name.removesuffix(':0')}", Kind.METRIC, variable)
        for variable in metric.variables
    ]


def _is_optimizer(item: Any) -> bool:
    return isinstance(item, OPTIMIZERS) or keras_2.is_optimizer(item)


def _of_optimizer(optimizer: Any, known: Sequence[tuple[str, Any]]) -> Iterator[Named]:
    """Yield the variables of an optimizer; slots are named after their weights.

    Args:
        optimizer: an optimizer, or a `LossScaleOptimizer` that wraps one.
        known: names and variables of weights; default for a name: the Keras path.
    """
    if keras_2.is_optimizer(optimizer):
        yield from keras_2.of_optimizer(optimizer, known)
        return
    names = {id(inner(variable)): name for name, variable in known}
    wrapped = getattr(optimizer, "inner_optimizer", optimizer)
    kinds = _kinds_by_identity(optimizer, wrapped)
    weights = _weights_by_prefix(wrapped, names)
    places: Counter[str] = Counter()
    for variable in optimizer.variables:
        prefix = next((prefix for prefix in weights if variable.name.startswith(prefix)), None)
        name = variable.name
        if prefix is not None:
            # Slots of one name are in the order of their weights, which share a path.
            weight = weights[prefix][places[name] % len(weights[prefix])]
            places[name] += 1
            name = f"{weight}/{name.removeprefix(prefix)}"
        is_count = prefix is None and _is_whole(variable) and _is_single(variable)
        yield (
            f"{wrapped.name}/{name}",
            kinds.get(id(variable), Kind.COUNTER if is_count else Kind.SLOT),
            variable,
        )


def _weights_by_prefix(optimizer: Any, names: Mapping[int, str]) -> dict[str, list[str]]:
    """Return the names of an optimizer's weights by what its slots begin with, longest first."""
    weights: dict[str, list[str]] = {}
    for weight in _internals.weights_of(optimizer):
        # A bare `tf.Variable` has no path: Keras uses its name.
        path = str(getattr(weight, "path", weight.name))
        prefix = f"{path.replace('/', '_').replace(':', '_')}_"
        name = names.get(id(inner(weight)), path.removesuffix(":0"))
        weights.setdefault(prefix, []).append(name)
    return dict(sorted(weights.items(), key=lambda item: len(item[0]), reverse=True))


def _kinds_by_identity(optimizer: Any, wrapped: Any) -> dict[int, Kind]:
    """Return the kinds of an optimizer's variables that are neither slots nor counters."""
    kinds = {id(_internals.rate_variable_of(wrapped)): Kind.HYPERPARAMETER}
    if wrapped is not optimizer:
        kinds |= {
            id(getattr(optimizer, name, None)): Kind.LOSS_SCALE
            for name in ("step_counter", "dynamic_scale")
        }
    kinds |= {id(variable): Kind.ACCUMULATOR for variable in _internals.accumulators_of(wrapped)}
    return kinds | {id(variable): Kind.SHADOW for variable in _internals.averages_of(wrapped)}


def _kind(name: str, variable: Any) -> Kind:
    return by_name(name, letter_of(variable), _is_single(variable), bool(variable.trainable))


def _is_whole(variable: Any) -> bool:
    return bool(tf.as_dtype(variable.dtype).is_integer)


def _is_single(variable: Any) -> bool:
    return bool(tf.TensorShape(variable.shape).rank == 0)


def inner(variable: Any) -> Any:
    """Return the TensorFlow variable inside a Keras variable; any other variable as it is."""
    return variable.value if isinstance(variable, keras.Variable) else variable


def _unique(name: str, used: set[str]) -> str:
    """Return a unique name, numbered in order of creation as in TensorFlow 1; add it to `used`."""
    number, unique = 0, name
    while unique in used:
        number += 1
        unique = f"{name}_{number}"
    used.add(unique)
    return unique


def _values(name: str, variable: Any) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Yield the value of a variable; of a mirrored variable, the value on each replica."""
    replicas = [np.array(replica.numpy()) for replica in getattr(inner(variable), "values", ())]
    if len(replicas) > 1:
        yield from ((f"{name}, replica {number}", value) for number, value in enumerate(replicas))
    else:
        yield name, np.array(inner(variable).numpy())
