"""What a process makes that holds state: modules, optimizers, schedulers, gradient scalers.

To look for them among all objects takes a third of a second, for each reading.
"""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import nn, optim
from torch.compiler import is_compiling

KINDS = (nn.Module, optim.Optimizer, optim.lr_scheduler.LRScheduler, torch.amp.GradScaler)
# By id, in the order in which they were made. An id is used again.
_made: dict[int, weakref.ref[Any]] = {}


def watch() -> None:
    """Note what is made from now on, also by a copy: schedulers do not all call `__init__`."""
    for kind in KINDS:
        if getattr(kind.__new__, "__module__", "") != __name__:
            kind.__new__ = _noting(kind)


def note_existing() -> None:
    """Note what was made before the watch."""
    for item in gc.get_objects():
        if issubclass(type(item), KINDS):  # `isinstance` would ask a proxy
            _note(item)


def alive() -> list[Any]:
    """Return what was noted and is not garbage, in order."""
    for key, held in list(_made.items()):
        if held() is None:
            _made.pop(key, None)
    return [item for held in list(_made.values()) if (item := held()) is not None]


def _noting(kind: Any) -> Callable[..., Any]:
    plain = kind.__dict__.get("__new__")

    def new(cls: Any, *given: Any, **named: Any) -> Any:
        make = plain or super(kind, cls).__new__
        item = make(cls) if make is object.__new__ else make(cls, *given, **named)
        if not is_compiling():
            _note(item)
        return item

    return new


def _note(item: Any) -> None:
    known = _made.get(id(item))
    if known is None or known() is not item:
        _made.pop(id(item), None)
        _made[id(item)] = weakref.ref(item)
