"""What a user calls the values of a file, and of what kind they are.

An optimizer numbers its parameters; they are those of a model in the same file, in its order.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ckptcheck import kinds
from ckptcheck.checkpoints.torch_zip.values import Found, Given, Path, Stored
from ckptcheck.kinds import Kind

_STATE, _GROUPS, _PARAMETERS = "state", "param_groups", "params"
# What an optimizer counts for each parameter.
_STEP = "step"
# Names of the states of generators: whole words.
_RANDOM = re.compile(r"(^|[^a-z])(rng|random|generators?)([^a-z]|$)")
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Named:
    """A value with its name for readers, and its kind."""

    name: str
    kind: Kind
    value: Stored | Given


def named(found: Sequence[Found]) -> dict[str, Named]:
    """Return the values by key: their path, with `/` between its parts.

    The state of an optimizer has the names of the parameters where a model in the file tells them.
    """
    optimizers = sorted({path[:at] for path, _ in found for at in _optimizers_in(path)})
    parameters = {place: _parameters(place, found, optimizers) for place in optimizers}
    result: dict[str, Named] = {}
    for path, value in found:
        if _is_list_of_parameters(path, optimizers):
            continue
        place = next((each for each in optimizers if path[: len(each)] == each), None)
        name, kind = "/".join(path), _kind(path, value)
        if place is not None:
            name, kind = _of_optimizer(place, path, value, parameters[place])
        result[_unique("/".join(path) or "value", result)] = Named(name or "value", kind, value)
    return result


def _optimizers_in(path: Path) -> Iterator[int]:
    """Yield how long the path of an optimizer is that a path may lead through: it has groups."""
    return (at for at, part in enumerate(path) if part == _GROUPS)


def _is_list_of_parameters(path: Path, optimizers: Sequence[Path]) -> bool:
    """Return whether a value is the numbers of the parameters in a group: no state."""
    return any(
        path[: len(place)] == place
        and path[len(place) : len(place) + 1] == (_GROUPS,)
        and path[len(place) + 2 : len(place) + 3] == (_PARAMETERS,)
        for place in optimizers
    )


def _of_optimizer(
    place: Path, path: Path, value: Stored | Given, parameters: Mapping[str, str]
) -> tuple[str, Kind]:
    rest = path[len(place) :]
    if rest[:1] == (_STATE,) and len(rest) > 2:
        own = "/".join((*place, _STATE, parameters.get(rest[1], rest[1]), *rest[2:]))
        return own, Kind.COUNTER if rest[-1] == _STEP else Kind.SLOT
    is_number = isinstance(value, Given) and not isinstance(value.value, bytes)
    return "/".join(path), Kind.HYPERPARAMETER if is_number else Kind.OTHER


def _parameters(place: Path, found: Sequence[Found], optimizers: Sequence[Path]) -> dict[str, str]:
    """Return the name of each parameter of an optimizer, by its number.

    Empty unless exactly one model in the file has as many parameters, of the same shapes in order.
    """
    shapes = _shapes_of_slots(place, found)
    models: dict[Path, list[tuple[str, tuple[int, ...]]]] = {}
    for path, value in found:
        inside = any(path[: len(each)] == each for each in optimizers)
        is_weight = isinstance(value, Stored) and value.dtype.kind in "fcV"
        if path and not inside and is_weight and path[-1].rpartition(".")[2] not in _STATISTICS:
            assert isinstance(value, Stored)
            models.setdefault(path[:-1], []).append((path[-1], value.shape))
    fitting = [
        dict(zip(shapes, (name for name, _ in model), strict=True))
        for model in models.values()
        if len(model) == len(shapes)
        and all(
            each in ((), shape) for each, (_, shape) in zip(shapes.values(), model, strict=True)
        )
    ]
    return fitting[0] if len(fitting) == 1 and any(shapes.values()) else {}


def _shapes_of_slots(place: Path, found: Sequence[Found]) -> dict[str, tuple[int, ...]]:
    """Return the shape of the largest slot of each parameter, in the order of their numbers."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path, value in found:
        rest = path[len(place) :]
        if path[: len(place)] == place and rest[:1] == (_STATE,) and len(rest) == 3:
            shape = value.shape if isinstance(value, Stored) else ()
            shapes[rest[1]] = max(shapes.get(rest[1], ()), shape, key=np.prod)
    if not all(each.isdecimal() and len(each) < 10 for each in shapes):
        return {}
    return {each: shapes[each] for each in sorted(shapes, key=int)}


def _kind(path: Path, value: Stored | Given) -> Kind:
    if isinstance(value, Given) and isinstance(value.value, bytes):
        return Kind.OTHER
    dtype = value.dtype if isinstance(value, Stored) else value.value.dtype  # type: ignore[union-attr]
    shape = value.shape if isinstance(value, Stored) else value.value.shape  # type: ignore[union-attr]
    if any(_RANDOM.search(part.lower()) for part in path) and shape:
        return Kind.RNG
    name = "/".join(path).replace(".", "/")
    kind = kinds.by_name(name, "f" if dtype.kind == "V" else dtype.kind, not shape)
    # A number of the program, such as its best loss, is trained by nothing.
    is_number = isinstance(value, Given) and kind not in (Kind.COUNTER, Kind.HYPERPARAMETER)
    return Kind.OTHER if is_number else kind


def _unique(key: str, taken: Mapping[str, Named]) -> str:
    number, unique = 1, key
    while unique in taken:
        number += 1
        unique = f"{key}~{number}"
    return unique
