"""TensorFlow 2 and Keras 3 variables: which there are, what they are called, and the part each plays in training."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tensorflow import _internals
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind, by_name

# What a program sets when it is started, and sets again when it is started again.
SEED = 0

OPTIMIZERS = (keras.optimizers.Optimizer, keras.optimizers.LossScaleOptimizer)

Named = tuple[str, Kind, Any]


def state_of(objects: Sequence[Any], others: Iterable[Any] = ()) -> dict[str, Tensor]:
    """Return the value of every variable by name, with its kind.

    Args:
        objects: models, layers, optimizers, metrics, seed generators, `tf.random.Generator`s, `tf.Module`s or variables,
            whose variables are named after their Keras paths where they have some.
        others: variables of TensorFlow; those that belong to an object are not taken twice.
    """
    tensors: dict[str, Tensor] = {}
    for name, kind, variable in _named(objects, others):
        tensors |= {part: Tensor(kind, value) for part, value in _values(name, variable)}
    for name, value in _settings(objects):
        tensors.setdefault(name, Tensor(Kind.HYPERPARAMETER, np.array(value)))
    return tensors


def _settings(objects: Sequence[Any]) -> Iterator[tuple[str, float]]:
    """Yield the numbers that optimizers have been made with, which are no variables: momentum, beta_1, weight_decay, …"""
    for thing in objects:
        optimizer = getattr(thing, "optimizer", None) if isinstance(thing, keras.Model) else thing
        if isinstance(optimizer, OPTIMIZERS):
            inside = getattr(optimizer, "inner_optimizer", optimizer)
            for name, value in inside.get_config().items():
                if (
                    isinstance(value, int | float) and name != "learning_rate"
                ):  # that is a variable, or a schedule
                    yield f"{inside.name}/{name}", float(value)


def poison(variables: Iterable[Any], seed: int) -> None:
    """Give every trainable variable other values than its own, see `ckptcheck.job.protocol.POISON`."""
    draw = np.random.default_rng(seed)
    for variable in variables:
        if variable.trainable and tf.as_dtype(variable.dtype).is_floating:
            noise = tf.cast(draw.normal(size=variable.shape), variable.dtype)
            variable.assign(variable + tf.reshape(noise, variable.shape))


def names_of(objects: Sequence[Any], others: Iterable[Any] = ()) -> dict[int, list[str]]:
    """Return the names that `state_of` gives, by the identity of TensorFlow's variable."""
    named = _named(objects, others)
    return {
        id(inner(variable)): [part for part, _ in _values(name, variable)]
        for name, _, variable in named
    }


def _named(objects: Sequence[Any], others: Iterable[Any]) -> list[Named]:
    """Return name, kind and variable of each, every one of them once and under a name of its own."""
    known: dict[int, Named] = {}
    # Slots are named after their weights, whose names are to be known first.
    for thing in sorted(objects, key=lambda thing: isinstance(thing, OPTIMIZERS)):
        names = {identity: name for identity, (name, _, _) in known.items()}
        for name, kind, variable in (
            _of_optimizer(thing, names) if isinstance(thing, OPTIMIZERS) else _variables_of(thing)
        ):
            known.setdefault(id(inner(variable)), (name, kind, variable))
    # A variable of several replicas is made of variables, which are created, too.
    parts = {
        id(part)
        for _, _, variable in known.values()
        for part in getattr(inner(variable), "values", ())
    }
    for variable in others:
        if id(variable) not in parts:
            known.setdefault(id(variable), _of_variable(variable))
    taken: set[str] = set()
    return [(_taken(name, taken), kind, variable) for name, kind, variable in known.values()]


def _variables_of(thing: Any) -> Iterator[Named]:
    if isinstance(thing, keras.Model):
        yield from _of_model(thing, "")
    elif isinstance(thing, keras.Layer):
        yield from _of_model(thing, f"{thing.name}/")
    elif isinstance(thing, keras.metrics.Metric):
        yield from _of_metric(thing)
    elif isinstance(thing, keras.random.SeedGenerator):
        yield f"{thing.name}/state", Kind.RNG, thing.state
    elif isinstance(thing, tf.random.Generator):
        yield "generator", Kind.RNG, thing.state
    elif isinstance(thing, tf.Variable | keras.Variable):
        yield _of_variable(thing)
    elif hasattr(thing, "variables"):
        yield from map(
            _of_variable, thing.variables() if callable(thing.variables) else thing.variables
        )
    else:
        raise TypeError(
            f"{type(thing).__name__} has no variables: give models, optimizers, variables or generators"
        )


def _of_variable(variable: Any) -> Named:
    name = (
        str(variable.path)
        if isinstance(variable, keras.Variable)
        else str(variable.name).removesuffix(":0")
    )
    return name, _kind(name, variable), variable


def _of_model(model: Any, place: str) -> Iterator[Named]:
    """Yield the variables of a model or a layer, and those of what it was compiled with."""
    own = list(_of_layer(model, place))
    seen = {id(inner(variable)) for _, _, variable in own}
    # What else the model tracks in its own way.
    own += [
        _of_variable(variable) for variable in model.variables if id(inner(variable)) not in seen
    ]
    yield from own
    if isinstance(model, keras.Model) and model.compiled:
        for metric in model.metrics:
            yield from _of_metric(metric)
        if model.optimizer is not None:
            yield from _of_optimizer(
                model.optimizer, {id(inner(variable)): name for name, _, variable in own}
            )


def _of_layer(layer: Any, place: str) -> Iterator[Named]:
    """Yield the variables of a layer and those inside it, named after the layers they are in.

    Their Keras paths will not do: they tell in which order a model was built and loaded, too.
    """
    for variable in _internals.own_variables(layer):
        yield place + variable.name, _kind(variable.name, variable), variable
    for generator in _internals.own_seed_generators(layer):
        yield f"{place}seed_generator", Kind.RNG, generator.state
    for part in _internals.inner_layers(layer):
        if isinstance(part, keras.Layer):
            yield from _of_layer(part, f"{place}{part.name}/")


def _of_metric(metric: Any) -> list[Named]:
    return [
        (f"metrics/{metric.name}/{variable.name}", Kind.METRIC, variable)
        for variable in metric.variables
    ]


def _of_optimizer(optimizer: Any, names: Mapping[int, str]) -> Iterator[Named]:
    """Yield the variables of an optimizer; slots are named after their weights, whose names by identity may be given."""
    inside = getattr(optimizer, "inner_optimizer", optimizer)
    kinds = _kinds_by_identity(optimizer, inside)
    weights = {
        f"{weight.path.replace('/', '_')}_": names.get(id(inner(weight)), weight.path)
        for weight in sorted(
            _internals.weights_of(inside), key=lambda weight: len(weight.path), reverse=True
        )
    }
    for variable in optimizer.variables:
        prefix = next((prefix for prefix in weights if variable.name.startswith(prefix)), None)
        name = (
            variable.name
            if prefix is None
            else f"{weights[prefix]}/{variable.name.removeprefix(prefix)}"
        )
        is_count = prefix is None and _is_whole(variable) and _is_single(variable)
        yield (
            f"{inside.name}/{name}",
            kinds.get(id(variable), Kind.COUNTER if is_count else Kind.SLOT),
            variable,
        )


def _kinds_by_identity(optimizer: Any, inside: Any) -> dict[int, Kind]:
    """Return the kinds of what an optimizer, and one that wraps it, hold beside slots and counters."""
    kinds = {id(_internals.rate_variable_of(inside)): Kind.HYPERPARAMETER}
    if inside is not optimizer:
        kinds |= {
            id(getattr(optimizer, name, None)): Kind.LOSS_SCALE
            for name in ("step_counter", "dynamic_scale")
        }
    kinds |= {id(variable): Kind.ACCUMULATOR for variable in _internals.accumulators_of(inside)}
    return kinds | {id(variable): Kind.SHADOW for variable in _internals.averages_of(inside)}


def _kind(name: str, variable: Any) -> Kind:
    return by_name(
        name, "i" if _is_whole(variable) else "f", _is_single(variable), bool(variable.trainable)
    )


def _is_whole(variable: Any) -> bool:
    return bool(tf.as_dtype(variable.dtype).is_integer)


def _is_single(variable: Any) -> bool:
    return bool(tf.TensorShape(variable.shape).rank == 0)


def inner(variable: Any) -> Any:
    """Return TensorFlow's variable of a variable of Keras."""
    return variable.value if isinstance(variable, keras.Variable) else variable


def _taken(name: str, taken: set[str]) -> str:
    """Take a name, with a number behind it where it is taken: by order of creation, as TensorFlow 1 does."""
    number, free = 0, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free)
    return free


def _values(name: str, variable: Any) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Return the value of a variable; of one that is mirrored, each replica's where they are not the same."""
    replicas = [np.array(replica.numpy()) for replica in getattr(inner(variable), "values", ())]
    if len(replicas) > 1:
        yield from ((f"{name}, replica {number}", value) for number, value in enumerate(replicas))
    else:
        yield name, np.array(inner(variable).numpy())
