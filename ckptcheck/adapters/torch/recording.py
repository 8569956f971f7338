"""The state of objects of PyTorch that a script records, and the style of the script."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn, optim

from ckptcheck.adapters.torch.named import Named
from ckptcheck.job.protocol import Tensor

# The names of objects, by class; the first that fits.
_NAMES: tuple[tuple[type, str], ...] = (
    (optim.swa_utils.AveragedModel, "averaged"),
    (nn.Module, "model"),
    (optim.Optimizer, "optimizer"),
    (optim.lr_scheduler.LRScheduler, "scheduler"),
    (torch.amp.GradScaler, "scaler"),
    (torch.Generator, "generator"),
    (torch.utils.data.DataLoader, "loader"),
)


# The readers of what is recorded: each remembers which averages have moved.
_readers: dict[tuple[int, ...], Named] = {}


def state_of(objects: Sequence[Any]) -> Mapping[str, Tensor]:
    """Return the state of objects, and of PyTorch's, Python's and NumPy's global generators.

    Objects are named after their classes; the second of a class is `model_2`.

    Raises:
        TypeError: an object holds no state that is known.
    """
    key = tuple(map(id, objects))
    if key not in _readers:
        named = _named(objects)
        _readers[key] = Named(lambda: named)
    return _readers[key].state_of_named()


def _named(objects: Sequence[Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    count: Counter[str] = Counter()
    for item in objects:
        name = next((name for kind, name in _NAMES if isinstance(item, kind)), None)
        if name is None:
            raise TypeError(
                f"{type(item).__name__} holds no state: pass modules, optimizers, schedulers, a "
                "GradScaler, generators or loaders"
            )
        count[name] += 1
        named[name if count[name] == 1 else f"{name}_{count[name]}"] = item
    return named


def style_of(objects: Sequence[Any]) -> str:
    """Return the style of every script that trains with PyTorch."""
    return "torch"
