"""The names of the modules and optimizers of a program: those of the variables that hold them."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn, optim

from ckptcheck.adapters.torch.observer import made
from ckptcheck.adapters.torch.observer.ranks import unwrapped
from ckptcheck.observer.program import Program
from ckptcheck.run.containers import attributes, items, shown

# What holds state.
KINDS = (*made.KINDS, torch.utils.data.DataLoader, torch.Generator, np.random.Generator)
# How far a variable is followed, through lists and objects, and how many items of each.
_DEPTH = 3
_MOST = 100
_LIBRARIES = ("builtins", "torch", "numpy", "collections", "argparse", "pathlib", "logging")
# By class: the properties by which an object of a library shows what it holds elsewhere.
_SHOWN = dict.fromkeys(
    ("lightning.pytorch.trainer.trainer.Trainer", "pytorch_lightning.trainer.trainer.Trainer"),
    ("model", "optimizers", "lr_scheduler_configs"),
)


def holders(program: Program) -> dict[str, Any]:
    """Return everything alive that holds state, by name.

    Of several names of an object, the one with the fewest private parts counts, then the shortest
    way, then the first. What no variable leads to is named after its class. A wrapper of an
    optimizer is that optimizer.
    """
    found: dict[int, tuple[str, Any]] = {}
    for name, item in sorted(_walk(_variables(program), _DEPTH), key=lambda each: _way(each[0])):
        _note(found, name, unwrapped(item))
    known = {id(item) for _, item in found.values()}
    for item in made.alive():
        if id(item) not in known:
            _note(found, type(unwrapped(item)).__name__, unwrapped(item))
    inner = {id(part) for _, item in found.values() for part in _parts(item)}
    named: dict[str, Any] = {}
    for name, item in found.values():
        if id(item) not in inner:
            named[_unique(name, named)] = item
    return named


def _note(found: dict[int, tuple[str, Any]], name: str, item: Any) -> None:
    """Note an object under its first name; of an optimizer and its wrappers, itself."""
    key = _identity(item)
    name, known = found.setdefault(key, (name, item))
    if "state" in attributes(item) and "state" not in attributes(known):
        found[key] = name, item


def _identity(item: Any) -> int:
    """Return what an optimizer has in common with its wrappers: they show its state as theirs."""
    state = getattr(item, "state", None) if isinstance(item, optim.Optimizer) else None
    return id(item if state is None or state is not getattr(item, "state", None) else state)


def _way(name: str) -> tuple[int, int]:
    """Return how many parts of a name are private, and how many there are; `self` says little."""
    parts = re.split(r"[.\[]", name)
    return sum(part.startswith("_") or part == "self" for part in parts), len(parts)


def _variables(program: Program) -> list[tuple[str, Any]]:
    """Return the variables of a program by name: globals, then those of the outermost function."""
    functions: dict[str, list[tuple[str, Any]]] = {}
    for name, value in vars(program).items():
        function, _, variable = name.rpartition(".")
        functions.setdefault(function, []).append((variable, value))
    held = functions.pop("", [])
    return held + [each for variables in functions.values() for each in variables]


def _walk(held: Iterable[tuple[str, Any]], depth: int) -> Iterator[tuple[str, Any]]:
    for name, value in held:
        if issubclass(type(value), KINDS):
            yield name, value
        elif depth:
            yield from _walk(_inside(name, value), depth - 1)


def _inside(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    held = items(value, _MOST)
    kind = type(value)
    if held is not None:
        yield from ((f"{name}[{shown(key)}]", inner) for key, inner in held)
    elif kind.__module__.split(".")[0] not in _LIBRARIES:
        known = _SHOWN.get(f"{kind.__module__}.{kind.__qualname__}", ())
        yield from ((f"{name}.{key}", getattr(value, key)) for key in known)
        last = name.rpartition(".")[2]
        for key, inner in attributes(value).items():
            yield name if key == last else f"{name}.{key}", inner  # a wrapper


def _parts(item: Any) -> Iterator[Any]:
    """Yield the modules that a module consists of, but for itself."""
    if isinstance(item, nn.Module):
        for module in item.modules():
            if module is not item:
                yield module


def _unique(name: str, taken: Iterable[str]) -> str:
    known, number, unique = set(taken), 1, name
    while unique in known:
        unique, number = f"{name}_{number}", number + 1
    return unique
