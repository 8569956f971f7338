"""What a program remembers outside of its variables: it explains what differs, and is never compared by itself.

Attributes of objects may differ for many reasons that change no training: a counter of calls, a time. Only where runs part
and no state says why are they looked at.
"""

import contextlib
import random
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import xxhash

# Objects inside a job are looked into so deep, and so many numbers are kept of all.
DEPTH = 2
MOST = 200

# Whose objects know by attributes what has been built of them.
_FRAMEWORKS = ("keras", "tensorflow", "tf_keras")
# What has variables of its own shows them as state; modules of these have nothing else that a job would remember.
_LIBRARIES = ("builtins", "numpy", "tensorflow", "tensorboard", "h5py", "pathlib")


def attributes(job: Any) -> dict[str, float]:
    """Return the numbers that a job and its objects have as public attributes, by name.

    A job may have a method `remembers` that returns further objects by name, such as the callbacks of a `fit`.
    """
    found: dict[str, float] = {}
    # They are hints: an object that does not let itself be looked into must not end a run.
    with contextlib.suppress(Exception):
        found |= dict(_numbers(job, "", DEPTH))
    with contextlib.suppress(Exception):
        for name, each in _further(job).items():
            found |= dict(_numbers(each, f"{name}.", 1))
    return dict(list(found.items())[:MOST])


def _further(job: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = job.remembers() if hasattr(job, "remembers") else {}
    return found


def put_back(job: Any, before: Mapping[str, float]) -> None:
    """Give attributes the values that they had before, where they have others now.

    Those of models, layers and whatever else a framework made are left as they are: they say what has been built.
    """
    after = attributes(job)
    moved = {name: value for name, value in before.items() if repr(after.get(name, value)) != repr(value)}
    _put(job, "", DEPTH, moved, but=_FRAMEWORKS)


def put(job: Any, values: Mapping[str, float]) -> None:
    """Give attributes, by the names that `attributes` gives them, other values; of the type they have."""
    _put(job, "", DEPTH, values)
    with contextlib.suppress(Exception):
        for name, each in _further(job).items():
            _put(each, f"{name}.", 1, values)


def _put(thing: Any, place: str, depth: int, values: Mapping[str, float], but: Collection[str] = ()) -> None:
    if any(each.__module__.split(".")[0] in but for each in type(thing).__mro__):
        return
    for name, value in _public(thing):
        if place + name in values:
            # An object that forbids it, such as a frozen dataclass, keeps its own.
            with contextlib.suppress(AttributeError, TypeError, ValueError, OverflowError):
                setattr(thing, name, type(value)(values[place + name]))
        elif depth > 1:
            for key, each in _inside(name, value):
                _put(each, f"{place}{key}.", depth - 1, values, but)


def _numbers(thing: Any, place: str, depth: int) -> Iterator[tuple[str, float]]:
    for name, value in _public(thing):
        if _is_number(value):
            with contextlib.suppress(TypeError, ValueError, OverflowError):  # such as a set of bits, or a length of time
                yield place + name, float(value)
        elif depth > 1:
            for key, each in _inside(name, value):
                yield from _numbers(each, f"{place}{key}.", depth - 1)


def _public(thing: Any) -> list[tuple[str, Any]]:
    """Return what is no secret of an object: its attributes, and the numbers of its class that it has not changed yet."""
    held = {name: value for each in reversed(type(thing).__mro__) for name, value in vars(each).items() if _is_number(value)}
    held |= getattr(thing, "__dict__", {})
    return [(name, value) for name, value in held.items() if not name.startswith("_")]


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float | np.number)


def _inside(name: str, value: Any) -> list[tuple[str, Any]]:
    """Return the objects of the user's own that a value is, or holds."""
    if isinstance(value, list | tuple):
        held = [(f"{name}[{index}]", each) for index, each in enumerate(value[:20])]
    elif isinstance(value, dict):
        held = [(f"{name}[{key!r}]", each) for key, each in list(value.items())[:20]]
    else:
        held = [(name, value)]
    return [(key, each) for key, each in held if type(each).__module__.split(".")[0] not in _LIBRARIES]


def generators() -> Mapping[str, str]:
    """Return digests of the states of the generators that a whole process shares."""
    state: Any = np.random.get_state(legacy=True)
    return {
        "random": xxhash.xxh3_128(repr(random.getstate()).encode()).hexdigest(),
        "numpy.random": xxhash.xxh3_128(np.asarray(state[1]).tobytes() + str(state[2:]).encode()).hexdigest(),
    }
