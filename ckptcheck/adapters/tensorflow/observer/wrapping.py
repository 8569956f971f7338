"""Replace a method or a function by one that does the same and reports it."""

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any


def around(owner: Any, name: str, call: Callable[..., Any]) -> None:
    """Replace `owner.name` by a function that calls `call(original, *arguments)` instead."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*positional: Any, **named: Any) -> Any:
        return call(original, *positional, **named)

    # Keras asks for the arguments of its own methods, in a way that does not look through wrappers.
    wrapped.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]
    setattr(owner, name, wrapped)


def after(owner: Any, name: str, call: Callable[..., None]) -> None:
    """Replace `owner.name` by a function that also calls `call(*arguments)` afterwards."""

    def then(original: Callable[..., Any], *positional: Any, **named: Any) -> Any:
        result = original(*positional, **named)
        call(*positional, **named)
        return result

    around(owner, name, then)


def everywhere(package: str, module: Any, name: str, call: Callable[..., Any]) -> None:
    """Replace a function in each loaded module of a package: other modules have imported it."""
    original = getattr(module, name)
    around(module, name, call)
    wrapped = getattr(module, name)
    for full, each in list(sys.modules.items()):
        if full.split(".")[0] == package and vars(each).get(name) is original:
            setattr(each, name, wrapped)
