"""TensorFlow 2 and Keras 3 variables: which there are, what they are called, and the part each plays in training."""

import sys
import weakref
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind

# What a program sets when it is started, and sets again when it is started again.
SEED = 0

OPTIMIZERS = (keras.optimizers.Optimizer, keras.optimizers.LossScaleOptimizer)


class Created:
    """Every variable that was created while `watching`, and is still there.

    Those of metrics are left out (a model, or a job's attributes, lead to the metrics in use), and counters of saves.
    `paused` is for what makes variables that are no state: an evaluation, and whatever comes after the first step.
    """

    def __init__(self) -> None:
        self._found: list[weakref.ref[Any]] = []
        self.paused = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Notice the variables that are created meanwhile, by whatever library."""

        def create(next_creator: Any, **arguments: Any) -> Any:
            variable = next_creator(**arguments)
            if not self.paused and not _is_no_state(arguments.get("name")):
                self._found.append(weakref.ref(variable))
            return variable

        with tf.variable_creator_scope(create):
            yield

    def forget(self, identities: Container[int]) -> None:
        """Take no more note of some variables, given by their identity."""
        self._found = [each for each in self._found if (variable := each()) is not None and id(variable) not in identities]

    def variables(self) -> list[Any]:
        """Return those that are still there, in the order in which they were created."""
        found = (each() for each in self._found)
        return [each for each in found if each is not None]


def _is_no_state(name: str | None) -> bool:
    """Return whether it is no part of training that is making a variable.

    That is a metric of Keras, of which a model that is loaded makes some that it never uses, or a checkpoint, which counts how
    often it was saved.
    """
    makers = (keras.metrics.Metric, tf.train.Checkpoint) if name == "save_counter" else keras.metrics.Metric
    frame: Any = sys._getframe(2)
    while frame is not None:
        if isinstance(frame.f_locals.get("self"), makers):
            return True
        frame = frame.f_back
    return False


def state_of(objects: Sequence[Any], others: Iterable[Any] = ()) -> dict[str, Tensor]:
    """Return the value of every variable by name, with its kind.

    Args:
        objects: models, layers, optimizers, metrics, seed generators, `tf.random.Generator`s, `tf.Module`s or variables,
            whose variables are named after their Keras paths where they have some.
        others: variables of TensorFlow; those that belong to an object are not taken twice.
    """
    found: dict[str, Tensor] = {}
    for name, kind, variable in _named(objects, others):
        found |= {each: Tensor(kind, value) for each, value in _values(name, variable)}
    for name, value in _settings(objects):
        found.setdefault(name, Tensor(Kind.HYPERPARAMETER, np.array(value)))
    return found


def _settings(objects: Sequence[Any]) -> Iterator[tuple[str, float]]:
    """Yield the numbers that optimizers have been made with, which are no variables: momentum, beta_1, weight_decay, …"""
    optimizers = [getattr(each, "optimizer", None) if isinstance(each, keras.Model) else each for each in objects]
    for each in optimizers:
        if isinstance(each, OPTIMIZERS):
            inside = getattr(each, "inner_optimizer", each)
            for name, value in inside.get_config().items():
                if isinstance(value, int | float) and name != "learning_rate":  # that is a variable, or a schedule
                    yield f"{inside.name}/{name}", float(value)


def poison(variables: Iterable[Any], seed: int) -> None:
    """Give every trainable variable other values than its own.

    A process that is started again sets the seeds that its program sets, so only its weights may differ from the control's;
    were they not to differ, a restore that does nothing could look like one that works.
    """
    draw = np.random.default_rng(seed)
    for variable in variables:
        if variable.trainable and tf.as_dtype(variable.dtype).is_floating:
            noise = tf.cast(draw.normal(size=variable.shape), variable.dtype)
            variable.assign(variable + tf.reshape(noise, variable.shape))


def names_of(objects: Sequence[Any], others: Iterable[Any] = ()) -> dict[int, list[str]]:
    """Return the names that `state_of` gives, by the identity of TensorFlow's variable."""
    named = _named(objects, others)
    return {id(inner(variable)): [each for each, _ in _values(name, variable)] for name, _, variable in named}


def _named(objects: Sequence[Any], others: Iterable[Any]) -> list[tuple[str, Kind, Any]]:
    """Return name, kind and variable of each, every one of them once and under a name of its own."""
    known: dict[int, tuple[str, Kind, Any]] = {}
    # Slots are named after their weights, whose names are to be known first.
    for each in sorted(objects, key=lambda each: isinstance(each, OPTIMIZERS)):
        names = {identity: name for identity, (name, _, _) in known.items()}
        for name, kind, variable in _of_optimizer(each, names) if isinstance(each, OPTIMIZERS) else _variables_of(each):
            known.setdefault(id(inner(variable)), (name, kind, variable))
    # A variable of several replicas is made of variables, which are created, too.
    parts = {id(part) for _, _, variable in known.values() for part in getattr(inner(variable), "values", ())}
    for variable in others:
        if id(variable) not in parts:
            known.setdefault(id(variable), (_name(variable), _kind_by_name(_name(variable), variable), variable))
    taken: set[str] = set()
    found = []
    for name, kind, variable in known.values():
        free = _free(name, taken)
        taken.add(free)
        found.append((free, kind, variable))
    return found


def _variables_of(thing: Any) -> Iterator[tuple[str, Kind, Any]]:
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
        yield _name(thing), _kind_by_name(_name(thing), thing), thing
    elif hasattr(thing, "variables"):
        variables = thing.variables() if callable(thing.variables) else thing.variables
        yield from ((_name(each), _kind_by_name(_name(each), each), each) for each in variables)
    else:
        raise TypeError(f"{type(thing).__name__} has no variables: give models, optimizers, variables or generators")


def _of_model(model: Any, place: str) -> Iterator[tuple[str, Kind, Any]]:
    """Yield the variables of a model or a layer, and those of what it was compiled with."""
    found = list(_of_layer(model, place))
    seen = {id(inner(variable)) for _, _, variable in found}
    # What else the model tracks in its own way.
    found += [(_name(each), _kind_by_name(_name(each), each), each) for each in model.variables if id(inner(each)) not in seen]
    yield from found
    if isinstance(model, keras.Model) and model.compiled:
        for metric in model.metrics:
            yield from _of_metric(metric)
        if model.optimizer is not None:
            yield from _of_optimizer(model.optimizer, {id(inner(variable)): name for name, _, variable in found})


def _of_layer(layer: Any, place: str) -> Iterator[tuple[str, Kind, Any]]:
    """Yield the variables of a layer and those inside it, named after the layers they are in.

    Their Keras paths will not do: they tell in which order a model was built and loaded, too.
    """
    for variable in (*layer._trainable_variables, *layer._non_trainable_variables):
        yield place + variable.name, _kind_by_name(variable.name, variable), variable
    for generator in getattr(layer, "_seed_generators", ()):
        yield f"{place}seed_generator", Kind.RNG, generator.state
    for each in layer._layers:
        if isinstance(each, keras.Layer):
            yield from _of_layer(each, f"{place}{each.name}/")


def _of_metric(metric: Any) -> Iterator[tuple[str, Kind, Any]]:
    yield from ((f"metrics/{metric.name}/{each.name}", Kind.METRIC, each) for each in metric.variables)


def _of_optimizer(optimizer: Any, names: Mapping[int, str]) -> Iterator[tuple[str, Kind, Any]]:
    """Yield the variables of an optimizer; slots are named after their weights, whose names by identity may be given."""
    inside = getattr(optimizer, "inner_optimizer", optimizer)
    averages = {id(each) for each in getattr(inside, "_model_variables_moving_average", None) or ()}
    accumulators = {id(each) for each in getattr(inside, "_accumulated_gradients", None) or ()}
    scale = (
        {id(getattr(optimizer, name, None)) for name in ("step_counter", "dynamic_scale")} if inside is not optimizer else ()
    )
    weights = {
        f"{weight.path.replace('/', '_')}_": names.get(id(inner(weight)), weight.path)
        for weight in sorted(getattr(inside, "_trainable_variables", ()), key=lambda each: len(each.path), reverse=True)
    }
    for variable in optimizer.variables:
        prefix = next((each for each in weights if variable.name.startswith(each)), None)
        name = variable.name if prefix is None else f"{weights[prefix]}/{variable.name.removeprefix(prefix)}"
        kind = Kind.SLOT
        if id(variable) in averages:
            kind = Kind.SHADOW
        elif id(variable) in accumulators:
            kind = Kind.ACCUMULATOR
        elif id(variable) in scale:
            kind = Kind.LOSS_SCALE
        elif prefix is None:
            is_rate = variable is getattr(inside, "_learning_rate", None)
            is_count = _is_whole(variable) and not len(variable.shape)
            kind = Kind.HYPERPARAMETER if is_rate else Kind.COUNTER if is_count else Kind.SLOT
        yield f"{inside.name}/{name}", kind, variable


def _kind_by_name(name: str, variable: Any) -> Kind:
    last = name.rsplit("/", 1)[-1]
    if last in ("moving_mean", "moving_variance"):
        return Kind.MOVING_STATISTIC
    if last == "StateVar" or "seed_generator" in name:
        return Kind.RNG
    if "ExponentialMovingAverage" in name or last.startswith(("ema", "average")) or last.endswith(("_ema", "_average")):
        return Kind.SHADOW
    if variable.trainable:
        return Kind.WEIGHT
    return Kind.COUNTER if _is_whole(variable) and not len(variable.shape) else Kind.OTHER


def _is_whole(variable: Any) -> bool:
    return bool(tf.as_dtype(variable.dtype).is_integer)


def inner(variable: Any) -> Any:
    """Return TensorFlow's variable of a variable of Keras."""
    return variable.value if isinstance(variable, keras.Variable) else variable


def _name(variable: Any) -> str:
    return str(variable.path) if isinstance(variable, keras.Variable) else str(variable.name).removesuffix(":0")


def _free(name: str, taken: Container[str]) -> str:
    """Return the name, with a number behind it where it is taken: by order of creation, as TensorFlow 1 does."""
    number, free = 0, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _values(name: str, variable: Any) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Return the value of a variable; of one that is mirrored, each replica's where they are not the same."""
    replicas = [np.array(each.numpy()) for each in getattr(inner(variable), "values", ())]
    if len(replicas) > 1:
        yield from ((f"{name}, replica {number}", value) for number, value in enumerate(replicas))
    else:
        yield name, np.array(inner(variable).numpy())
