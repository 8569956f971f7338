"""The names of the modules and optimizers of a program: those of the variables that hold them."""

import gc
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import nn, optim

from ckptcheck.adapters.torch.observer.ranks import unwrapped
from ckptcheck.observer.program import Program
from ckptcheck.run.containers import attributes, items

# What holds state. Schedulers have two bases.
KINDS = (
    nn.Module,
    optim.Optimizer,
    optim.lr_scheduler.LRScheduler,
    torch.amp.GradScaler,
    torch.utils.data.DataLoader,
    torch.Generator,
)
# How far a variable is followed, through lists and objects, and how many items of each.
_DEPTH = 3
_MOST = 100
_LIBRARIES = ("builtins", "torch", "numpy", "collections", "argparse", "pathlib", "logging")


def holders(program: Program) -> dict[str, Any]:
    """Return everything alive that holds state, by name.

    What no variable leads to is named after its class.
    """
    found: dict[int, tuple[str, Any]] = {}
    for name, held in _walk(vars(program).items(), _DEPTH):
        item = unwrapped(held)
        found.setdefault(id(item), (name, item))
    for each in _others(found):
        item = unwrapped(each)
        found.setdefault(id(item), (type(item).__name__, item))
    inner = {id(part) for _, item in found.values() for part in _parts(item)}
    named: dict[str, Any] = {}
    for key, (name, item) in found.items():
        if key not in inner:
            named[_unique(name, named)] = item
    return named


def _walk(held: Iterable[tuple[str, Any]], depth: int) -> Iterator[tuple[str, Any]]:
    for name, value in held:
        if issubclass(type(value), KINDS):
            yield name.rpartition(".")[2] if "." in name and depth == _DEPTH else name, value
        elif depth:
            yield from _walk(_inside(name, value), depth - 1)


def _inside(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    held = items(value, _MOST)
    if held is not None:
        yield from ((f"{name}[{key!r}]", inner) for key, inner in held)
    elif type(value).__module__.split(".")[0] not in _LIBRARIES:
        yield from ((f"{name}.{key}", inner) for key, inner in attributes(value).items())


def _others(found: Mapping[int, Any]) -> Iterator[Any]:
    """Yield modules, optimizers and schedulers that no variable leads to."""
    for item in gc.get_objects():
        kind = type(item)
        if id(item) not in found and isinstance(kind, type) and issubclass(kind, KINDS[:4]):
            yield item


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
