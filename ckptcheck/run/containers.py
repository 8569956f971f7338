"""What lists and dictionaries of a program hold, read without calling anything of the program's.

A subclass may count its iterations, or draw from a generator in them: to look must change nothing.
"""

import contextlib
from collections import deque
from collections.abc import Iterable
from itertools import islice
from types import MemberDescriptorType
from typing import Any


def items(value: Any, most: int) -> Iterable[tuple[Any, Any]] | None:
    """Return the first items of a list, tuple, deque or dictionary, by place or key; None: neither.

    The class is asked, not the object: a proxy may have lost what it stands for.
    """
    kind = type(value)
    if issubclass(kind, dict):
        return list(islice(dict.items(value), most))
    for sequence in (list, tuple, deque):
        if issubclass(kind, sequence):
            return list(enumerate(islice(sequence.__iter__(value), most)))
    return None


def shown(key: Any) -> str:
    """Return how a key is written in a name; that of a class of the program is its class alone."""
    is_plain = type(key) in (str, int, float, bool, bytes, type(None))
    return repr(key) if is_plain else type(key).__name__


def attributes(value: Any) -> dict[str, Any]:
    """Return the attributes of an object, and its slots; none where its class computes them."""
    held = getattr(type(value), "__dict__", {}).get("__dict__")
    if held is not None and not hasattr(held, "__objclass__"):
        return {}
    try:
        found = object.__getattribute__(value, "__dict__")
    except AttributeError:
        found = {}
    return _slots(value) | (found if type(found) is dict else {})


def _slots(value: Any) -> dict[str, Any]:
    found = {}
    for base in type(value).__mro__:
        held = base.__dict__ if "__slots__" in base.__dict__ else {}
        for name, slot in held.items():
            if type(slot) is MemberDescriptorType:
                with contextlib.suppress(AttributeError):  # it was never set
                    found[name] = slot.__get__(value)
    return found
