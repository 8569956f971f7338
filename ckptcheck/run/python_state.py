"""State of a program outside its variables: a walk over the attributes of a job and its objects.

Most attributes only explain a difference and are never compared by themselves: a call counter or a
time differs without changing the training. Attributes that a job declares decisive are compared as
tensors.
"""

import contextlib
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import xxhash

from ckptcheck.arrays import Array
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from ckptcheck.run.containers import items, shown
from ckptcheck.run.digests import digest

# The depth of the walk into a job, and the largest number of attributes kept.
DEPTH = 2
MOST = 200

# The attributes of these packages' objects record what has been built.
_FRAMEWORKS = ("keras", "tensorflow", "tf_keras", "torch")
# Objects of these packages hold nothing that a job remembers, except variables, which are state.
_LIBRARIES = ("builtins", "numpy", "tensorflow", "tensorboard", "torch", "h5py", "pathlib")

# The values of an attribute before and after an evaluation; None: it did not exist.
Change = tuple[float | None, float]


@dataclass(frozen=True)
class _Attribute:
    path: str
    owner: Any
    name: str
    value: Any


def attribute_values(job: Any) -> dict[str, float]:
    """Return the numeric public attributes of a job and its objects, by name."""
    return _numbers(_attributes(job))


def attribute_tensors(job: Any) -> dict[str, Tensor]:
    """Return the attributes that a job declares decisive, as tensors by name."""
    declared: Mapping[str, str] = job.decisive() if hasattr(job, "decisive") else {}
    remembered = (
        {attribute.path: attribute.value for attribute in _attributes(job)} if declared else {}
    )
    values = {name: remembered.get(path) for name, path in declared.items()}
    return {name: Tensor(Kind.PYTHON, _as_array(it)) for name, it in values.items()}


def _as_array(value: Any) -> Array:
    """Return an attribute as a number, or a list of arrays as their digest."""
    if value is None:  # a callback has seen no best value yet
        return np.array(np.inf)
    try:
        return np.array(float(value))
    except TypeError:
        return np.array(digest(*map(np.asarray, value)))


def changed_attributes(job: Any, before: Mapping[str, float]) -> dict[str, Change]:
    """Return the attributes whose values differ from those before, with both values.

    Excludes attributes of models, layers and other objects of a framework, which record what has
    been built.
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
    """Set attributes, by their names in `attribute_values`; each keeps its type."""
    for attribute in _attributes(job) if values else []:
        if attribute.path in values and _is_number(attribute.value):
            # An object that forbids changes, such as a frozen dataclass, keeps its value.
            with contextlib.suppress(AttributeError, TypeError, ValueError, OverflowError):
                setattr(
                    attribute.owner, attribute.name, type(attribute.value)(values[attribute.path])
                )


def generator_digests() -> dict[str, str]:
    """Return digests of the states of Python's and NumPy's global generators."""
    state: Any = np.random.get_state(legacy=True)
    return {
        "random": xxhash.xxh3_128(repr(random.getstate()).encode()).hexdigest(),
        "numpy.random": xxhash.xxh3_128(
            np.asarray(state[1]).tobytes() + str(state[2:]).encode()
        ).hexdigest(),
    }


@contextlib.contextmanager
def generators_kept() -> Iterator[None]:
    """Restore the states of Python's and NumPy's global generators afterwards."""
    python, legacy = random.getstate(), np.random.get_state()
    yield
    random.setstate(python)
    np.random.set_state(legacy)


def _attributes(job: Any) -> list[_Attribute]:
    """Return the public attributes of a job, its objects, and the objects that it `remembers`."""
    attributes: list[_Attribute] = []
    # Attributes are hints: an object that raises on access must not end a run.
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
        # Some NumPy numbers, such as timedelta64, have no float.
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            if _is_number(attribute.value):
                numbers[attribute.path] = float(attribute.value)
    return dict(islice(numbers.items(), MOST))


def _public(thing: Any) -> list[tuple[str, Any]]:
    """Return the public attributes of an object, and the numeric ones of its class."""
    held = {
        name: value
        for base in reversed(type(thing).__mro__)
        for name, value in vars(base).items()
        if _is_number(value)
    }
    held |= getattr(thing, "__dict__", {})
    return [(name, value) for name, value in held.items() if not name.startswith("_")]


def _is_number(value: Any) -> bool:
    return issubclass(type(value), (bool, int, float, np.number))


def _is_of_framework(thing: Any) -> bool:
    return any(base.__module__.split(".")[0] in _FRAMEWORKS for base in type(thing).__mro__)


def _inside(name: str, value: Any) -> list[tuple[str, Any]]:
    """Return the objects of the user's code that a value is or holds."""
    found = items(value, 20)
    held = [(name, value)]
    if found is not None:
        held = [(f"{name}[{shown(key)}]", inner) for key, inner in found]
    return [
        (key, inner)
        for key, inner in held
        if type(inner).__module__.split(".")[0] not in _LIBRARIES
    ]
