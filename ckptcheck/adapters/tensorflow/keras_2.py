"""Keras 2, the package `tf_keras`: its variables, and what its models do differently.

tf_keras is used where a job has imported it, and is never imported here.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras

from ckptcheck.adapters.tensorflow import _internals
from ckptcheck.kinds import Kind

Named = tuple[str, Kind, Any]
OfVariable = Callable[[str, Any], Kind]


def keras_2() -> Any:
    """Return the package `tf_keras`, or None where no job has imported it."""
    return sys.modules.get("tf_keras")


def keras_of(item: Any) -> Any:
    """Return the package that an object belongs to: `tf_keras` or `keras`."""
    return keras_2() if is_of_keras_2(item) else keras


def set_random_seed(seed: int) -> None:
    """Set the seeds of Python, NumPy, TensorFlow, and every Keras in use."""
    keras.utils.set_random_seed(seed)
    if keras_2() is not None:
        keras_2().utils.set_random_seed(seed)


def is_of_keras_2(item: Any) -> bool:
    """Return whether an object is a layer, model, metric or optimizer of Keras 2."""
    package = keras_2()
    return package is not None and isinstance(
        item, (package.layers.Layer, package.metrics.Metric, *_optimizers(package))
    )


def is_model(item: Any) -> bool:
    """Return whether an object is a model of either Keras."""
    return isinstance(item, keras.Model) or (
        keras_2() is not None and isinstance(item, keras_2().Model)
    )


def is_optimizer(item: Any) -> bool:
    """Return whether an object is an optimizer of Keras 2, also one that scales the loss."""
    return keras_2() is not None and isinstance(item, _optimizers(keras_2()))


def makers_of_no_state() -> tuple[type, ...]:
    """Return the classes of Keras 2 whose variables are no state: metrics, and the backup's."""
    package = keras_2()
    if package is None:
        return ()
    return (package.metrics.Metric, package.callbacks.BackupAndRestore)


def of_layer(layer: Any, prefix: str, kind_of: OfVariable) -> Iterator[Named]:
    """Yield the variables of a layer and its inner layers, named after the layers.

    Args:
        layer: a layer or a model.
        prefix: what the names begin with.
        kind_of: returns the kind of a variable by its name.
    """
    for variable in _internals.own_variables_of_keras_2(layer):
        name = _name_of(variable).rpartition("/")[2]
        yield prefix + name, kind_of(name, variable), variable
    generator = _internals.own_generator_of_keras_2(layer)
    if generator is not None:
        yield f"{prefix}random_generator", Kind.RNG, generator.state
    for part in _internals.inner_layers_of_keras_2(layer):
        if not isinstance(part, keras_2().metrics.Metric):
            yield from of_layer(part, f"{prefix}{part.name}/", kind_of)


def of_optimizer(optimizer: Any, weights: Iterable[tuple[str, Any]]) -> Iterator[Named]:
    """Yield the variables of an optimizer; slots are named after their weights.

    Args:
        optimizer: an optimizer of Keras 2, also one that scales the loss.
        weights: names and variables that it may train.
    """
    wrapped = getattr(optimizer, "inner_optimizer", optimizer)
    name = _internals.name_of_optimizer(wrapped)
    by_place = {_name_of(variable): known for known, variable in weights}
    kinds = _kinds_of_optimizer(wrapped)
    for full, variable in _internals.variables_of_keras_2(wrapped):
        slot = _slot_name(full, by_place, name)
        yield f"{name}/{slot}", kinds.get(id(variable), Kind.SLOT), variable
    for variable in _internals.loss_scale_of(optimizer):
        yield f"{name}/{_name_of(variable)}", Kind.LOSS_SCALE, variable


def settings(optimizer: Any) -> Iterator[tuple[str, float]]:
    """Yield the numeric settings of an optimizer that are not variables."""
    wrapped = getattr(optimizer, "inner_optimizer", optimizer)
    live = {name for name, _, _ in of_optimizer(wrapped, ())}
    for name, value in wrapped.get_config().items():
        full = f"{_internals.name_of_optimizer(wrapped)}/{name}"
        # Legacy optimizers keep most settings in variables.
        if isinstance(value, int | float) and full not in live:
            yield full, float(value)


def build(optimizer: Any, weights: list[Any]) -> None:
    """Create the slots of an optimizer, as its first step would."""
    wrapped = getattr(optimizer, "inner_optimizer", optimizer)
    if callable(getattr(wrapped, "build", None)):
        wrapped.build(weights)
    else:
        _internals.build_legacy_optimizer(wrapped, weights)


def _optimizers(package: Any) -> tuple[type, ...]:
    return package.optimizers.Optimizer, package.optimizers.legacy.Optimizer


def _kinds_of_optimizer(optimizer: Any) -> dict[int, Kind]:
    """Return the kinds of an optimizer's variables that are no slots."""
    return (
        {id(optimizer.iterations): Kind.COUNTER}
        | {id(each): Kind.HYPERPARAMETER for each in _internals.settings_of_keras_2(optimizer)}
        | {id(each): Kind.SHADOW for each in _internals.averages_of(optimizer)}
    )


def _slot_name(name: str, weights: dict[str, str], optimizer: str) -> str:
    """Return `WEIGHT/SLOT` for the name of a variable, or its name without the optimizer's."""
    places = [place for place in weights if f"/{place}/" in f"/{name}/"]
    if not places:
        return name.removeprefix(f"{optimizer}/")
    place = max(places, key=len)
    # `Adam/m/WEIGHT`; of a legacy optimizer: `Adam/WEIGHT/m`.
    before, _, after = f"/{name}/".partition(f"/{place}/")
    return f"{weights[place]}/{after.strip('/') or before.rpartition('/')[2]}"


def _name_of(variable: Any) -> str:
    return str(variable.name).removesuffix(":0")
