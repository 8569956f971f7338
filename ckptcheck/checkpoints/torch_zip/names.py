"""What a user calls the values of a file, and of what kind they are.

An optimizer numbers its parameters; they are those of a model in the same file, in its order.
"""

import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from ckptcheck import kinds
from ckptcheck.checkpoints.torch_zip.values import Found, Given, Path, Stored
from ckptcheck.kinds import Kind

_STATE, _GROUPS, _PARAMETERS = "state", "param_groups", "params"
# What an optimizer counts for each parameter.
_STEP = "step"
# Names of the states of generators: whole words.
_RANDOM = re.compile(r"(^|[^a-z])(rng|random|generators?)([^a-z]|$)")
# Where Lightning saves what its callbacks remember, such as the best loss.
_CALLBACKS = "callbacks"
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
# So many pairs of an optimizer and a model are compared: a forged file may have millions.
_MOST_PAIRS = 10_000

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Named:
    """A value with its name for readers, and its kind."""

    name: str
    kind: Kind
    value: Stored | Given


def named(found: Sequence[Found], file: str = "") -> dict[str, Named]:
    """Return the values by key: their path, with `/` between its parts.

    The state of an optimizer has the names of the parameters where a model in the file tells them.
    The name of the file, such as `rng_state`, tells whether it is one of random states.
    """
    optimizers, others = _by_optimizer(found)
    parameters = _parameters(optimizers, others)
    result: dict[str, Named] = {}
    used: Counter[str] = Counter()
    for path, value in found:
        place = _optimizer_of(path, optimizers)
        name, kind = "/".join(path), _kind((file, *path), value)
        if place is not None:
            if _is_list_of_parameters(path[len(place) :]):
                continue
            name, kind = _of_optimizer(place, path, value, parameters[place])
        key = "/".join(path) or "value"
        used[key] += 1
        further = f"~{used[key]}" if used[key] > 1 else ""
        result[f"{key}{further}"] = Named(f"{name or 'value'}{further}", kind, value)
    return result


def _by_optimizer(found: Sequence[Found]) -> tuple[dict[Path, list[Found]], list[Found]]:
    """Return the values of each optimizer, which has groups, by its path; and all other values."""
    optimizers: dict[Path, list[Found]] = {
        path[: path.index(_GROUPS)]: [] for path, _ in found if _GROUPS in path
    }
    others: list[Found] = []
    for path, value in found:
        place = _optimizer_of(path, optimizers)
        (others if place is None else optimizers[place]).append((path, value))
    return optimizers, others


def _optimizer_of(path: Path, optimizers: Container[Path]) -> Path | None:
    return next((path[:at] for at in range(len(path)) if path[:at] in optimizers), None)


def _is_list_of_parameters(rest: Path) -> bool:
    """Return whether a value is the numbers of the parameters in a group: no state."""
    return _is_in_group(rest) and rest[2:3] == (_PARAMETERS,)


def _of_optimizer(
    place: Path, path: Path, value: Stored | Given, parameters: Mapping[str, str]
) -> tuple[str, Kind]:
    rest = path[len(place) :]
    if rest[:1] == (_STATE,) and len(rest) > 2:
        own = "/".join((*place, _STATE, parameters.get(rest[1], rest[1]), *rest[2:]))
        return own, Kind.COUNTER if rest[-1] == _STEP else Kind.SLOT
    is_number = isinstance(value, Given) and not isinstance(value.value, bytes)
    return "/".join(path), Kind.HYPERPARAMETER if is_number else Kind.OTHER


def _parameters(
    optimizers: Mapping[Path, Sequence[Found]], others: Sequence[Found]
) -> dict[Path, Mapping[str, str]]:
    """Return the names of the parameters of each optimizer, by their numbers.

    Empty unless exactly one model in the file has as many parameters, of the same shapes in order.
    Of several groups, the order is not the model's.
    """
    models: dict[Path, list[tuple[str, Shape]]] = {}
    seen: set[tuple[Path, Stored]] = set()  # tied weights are one parameter, of the first name
    for path, value in others:
        is_weight = isinstance(value, Stored) and value.dtype.kind in "fcV"
        if path and is_weight and path[-1].rpartition(".")[2] not in _STATISTICS:
            assert isinstance(value, Stored)
            if (path[:-1], value) not in seen:
                models.setdefault(path[:-1], []).append((path[-1], value.shape))
            seen.add((path[:-1], value))
    if len(optimizers) * len(models) > _MOST_PAIRS:
        return {place: {} for place in optimizers}
    return {place: _names_in(place, held, models) for place, held in optimizers.items()}


def _names_in(
    place: Path, held: Sequence[Found], models: Mapping[Path, Sequence[tuple[str, Shape]]]
) -> dict[str, str]:
    groups = {path[len(place) + 1] for path, _ in held if _is_in_group(path[len(place) :])}
    shapes = _shapes_of_slots(place, held) if len(groups) == 1 else {}
    fitting = [
        dict(zip(shapes, (name for name, _ in model), strict=True))
        for model in models.values()
        if len(model) == len(shapes)
        and all(
            each in ((), shape) for each, (_, shape) in zip(shapes.values(), model, strict=True)
        )
    ]
    return fitting[0] if len(fitting) == 1 and any(shapes.values()) else {}


def _is_in_group(rest: Path) -> bool:
    return rest[:1] == (_GROUPS,) and len(rest) > 1


def _shapes_of_slots(place: Path, held: Sequence[Found]) -> dict[str, Shape]:
    """Return the shape of the largest slot of each parameter, in the order of their numbers."""
    shapes: dict[str, Shape] = {}
    for path, value in held:
        rest = path[len(place) :]
        if rest[:1] == (_STATE,) and len(rest) == 3:
            shape = value.shape if isinstance(value, Stored) else ()
            shapes[rest[1]] = max(shapes.get(rest[1], ()), shape, key=prod)
    if not all(each.isdecimal() and len(each) < 10 for each in shapes):
        return {}
    return {each: shapes[each] for each in sorted(shapes, key=int)}


def _kind(path: Path, value: Stored | Given) -> Kind:
    """Return the kind of a value, by its path, which begins with the name of the file."""
    if isinstance(value, Given) and isinstance(value.value, bytes):
        return Kind.OTHER
    dtype = value.dtype if isinstance(value, Stored) else value.value.dtype  # type: ignore[union-attr]
    shape = value.shape if isinstance(value, Stored) else value.value.shape  # type: ignore[union-attr]
    if _CALLBACKS in path[:2]:
        return Kind.OTHER
    is_of_generator = shape or (_RANDOM.search(path[0].lower()) and path[-1] != _STEP)
    if is_of_generator and any(_RANDOM.search(part.lower()) for part in path):
        return Kind.RNG
    name = "/".join(path[1:]).replace(".", "/")
    kind = kinds.by_name(name, dtype.kind, not shape)
    # A number of the program, such as its best loss, is trained by nothing.
    is_number = isinstance(value, Given) and kind not in (Kind.COUNTER, Kind.HYPERPARAMETER)
    return Kind.OTHER if is_number else kind
