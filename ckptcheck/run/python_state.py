"""What a program remembers outside of its variables, by one walk over a job and the objects that it says it remembers.

Most of it explains what differs and is never compared by itself: attributes may differ for many reasons that change no
training, such as a counter of calls or a time. What a job declares to change its training is compared, as tensors.
"""

import contextlib
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import xxhash

from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind

# Objects inside a job are looked into so deep, and so many numbers are kept of all.
DEPTH = 2
MOST = 200

# Whose objects know by attributes what has been built of them.
_FRAMEWORKS = ("keras", "tensorflow", "tf_keras")
# What has variables of its own shows them as state; modules of these have nothing else that a job would remember.
_LIBRARIES = ("builtins", "numpy", "tensorflow", "tensorboard", "h5py", "pathlib")

# The values of an attribute before and after an evaluation; None: it was not there.
Change = tuple[float | None, float]


@dataclass(frozen=True)
class _Attribute:
    path: str
    owner: Any
    name: str
    value: Any


def attribute_values(job: Any) -> dict[str, float]:
    """Return the numbers that a job and its objects have as public attributes, by name."""
    return _numbers(_attributes(job))


def attribute_tensors(job: Any) -> dict[str, Tensor]:
    """Return what a job declares to change its training, of all that is remembered, as tensors by their names."""
    declared: Mapping[str, str] = job.decisive() if hasattr(job, "decisive") else {}
    remembered = (
        {attribute.path: attribute.value for attribute in _attributes(job)} if declared else {}
    )
    values = {name: remembered.get(path) for name, path in declared.items()}
    # None: nothing was seen yet that could be best.
    return {
        name: Tensor(Kind.PYTHON, np.array(np.inf if it is None else float(it)))
        for name, it in values.items()
    }


def changed_attributes(job: Any, before: Mapping[str, float]) -> dict[str, Change]:
    """Return the attributes that have other values than before, with both.

    Those of models, layers and whatever else a framework made are left out: they say what has been built.
    """
    after = _numbers(
        attribute for attribute in _attributes(job) if not _is_of_framework(attribute.owner)
    )
    return {
        name: (before.get(name), value)
        for name, value in after.items()
        if repr(before.get(name)) != repr(value)
    }


def put(job: Any, values: Mapping[str, float]) -> None:
    """Give attributes, by the names that `attribute_values` gives them, other values; of the type they have."""
    for attribute in _attributes(job) if values else []:
        if attribute.path in values and _is_number(attribute.value):
            # An object that forbids it, such as a frozen dataclass, keeps its own.
            with contextlib.suppress(AttributeError, TypeError, ValueError, OverflowError):
                setattr(
                    attribute.owner, attribute.name, type(attribute.value)(values[attribute.path])
                )


def generator_digests() -> dict[str, str]:
    """Return digests of the states of the generators that a whole process shares."""
    state: Any = np.random.get_state(legacy=True)
    return {
        "random": xxhash.xxh3_128(repr(random.getstate()).encode()).hexdigest(),
        "numpy.random": xxhash.xxh3_128(
            np.asarray(state[1]).tobytes() + str(state[2:]).encode()
        ).hexdigest(),
    }


@contextlib.contextmanager
def generators_kept() -> Iterator[None]:
    """Put the generators that a whole process shares back afterwards."""
    python, legacy = random.getstate(), np.random.get_state()
    yield
    random.setstate(python)
    np.random.set_state(legacy)


def _attributes(job: Any) -> list[_Attribute]:
    """Return the public attributes of a job, of the objects in it, and of those that it says it remembers."""
    attributes: list[_Attribute] = []
    # They are hints: an object that does not let itself be looked into must not end a run.
    with contextlib.suppress(Exception):
        attributes += _walk(job, "", DEPTH)
    with contextlib.suppress(Exception):
        for name, thing in job.remembers().items() if hasattr(job, "remembers") else ():
            attributes += _walk(thing, f"{name}.", 1)
    return attributes


def _walk(thing: Any, place: str, depth: int) -> Iterator[_Attribute]:
    for name, value in _public(thing):
        yield _Attribute(place + name, thing, name, value)
        if depth > 1 and not _is_number(value):
            for key, inner in _inside(name, value):
                yield from _walk(inner, f"{place}{key}.", depth - 1)


def _numbers(attributes: Iterable[_Attribute]) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for attribute in attributes:
        with contextlib.suppress(
            TypeError, ValueError, OverflowError
        ):  # such as a set of bits, or a length of time
            if _is_number(attribute.value):
                numbers[attribute.path] = float(attribute.value)
    return dict(islice(numbers.items(), MOST))


def _public(thing: Any) -> list[tuple[str, Any]]:
    """Return what is no secret of an object: its attributes, and the numbers of its class that it has not changed yet."""
    held = {
        name: value
        for base in reversed(type(thing).__mro__)
        for name, value in vars(base).items()
        if _is_number(value)
    }
    held |= getattr(thing, "__dict__", {})
    return [(name, value) for name, value in held.items() if not name.startswith("_")]


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float | np.number)


def _is_of_framework(thing: Any) -> bool:
    return any(base.__module__.split(".")[0] in _FRAMEWORKS for base in type(thing).__mro__)


def _inside(name: str, value: Any) -> list[tuple[str, Any]]:
    """Return the objects of the user's own that a value is, or holds."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list | tuple)
        else None
    )
    held = (
        [(name, value)]
        if items is None
        else [(f"{name}[{key!r}]", inner) for key, inner in islice(items, 20)]
    )
    return [
        (key, inner)
        for key, inner in held
        if type(inner).__module__.split(".")[0] not in _LIBRARIES
    ]
