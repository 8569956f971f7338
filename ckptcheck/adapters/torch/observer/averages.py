"""Averages of weights: an `AveragedModel`, a frozen copy that moves, or tensors in a dictionary."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import nn, optim

from ckptcheck.adapters.torch.arrays import as_array, has_values
from ckptcheck.kinds import Kind, names_averages
from ckptcheck.observer.program import inside
from ckptcheck.run.digests import digest

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
# Where an average of weights keeps others for a while: those of the model, during an evaluation.
_ASIDE = re.compile(
    "(^|[^a-z])(backups?|stored|saved|collected|original|best|init|initial|old|grads?|ckpt"
    "|checkpoint|states?|loaded)([^a-z]|$)"
)
_AVG = re.compile("(^|[^a-z])avg([^a-z]|$)")
_CLASS = re.compile("EMA|Ema|Averag")
# How far a variable of the program is followed, and how much of a tensor shows whether it moves.
_DEPTH = 3
_SAMPLE = 1024

# A tensor by its name in the program, and where to read it again.
Found = tuple[str, Callable[[], torch.Tensor]]
# Its key in its dictionary or list, its name in the module, and the module's tensor of that name.
_Pair = tuple[Any, str, torch.Tensor | None]
# What an `AveragedModel` writes before each name, as `DistributedDataParallel` does.
_WRAPPED = "module."


@dataclass
class Averages:
    """Which tensors of modules that are not trained average the weights of others.

    Attributes:
        trained: the ids of the parameters that an optimizer has.
        still: the parts of modules that train which were put into evaluation mode, by path.
        first: digests of tensors when they were first read.
        first_modules: whether a module that nothing trains was there at the first reading, by name.
        has_read: whether the state was read before.
    """

    trained: frozenset[int] = frozenset()
    still: frozenset[str] = frozenset()
    first: dict[str, str] = field(default_factory=dict)
    first_modules: dict[str, bool] = field(default_factory=dict)
    has_read: bool = False

    def roots(
        self, name: str, module: nn.Module, is_part: bool = False
    ) -> Iterator[tuple[str, nn.Module]]:
        """Yield the outermost modules in a module of which nothing is trained, by name.

        Without gradients, a whole module is not trained, as a target network of DQN's is not.
        """
        parameters = list(module.parameters())
        if not parameters or not self.trained:
            return
        is_named = isinstance(module, optim.swa_utils.AveragedModel) or is_called_average(name)
        may_train = not is_named and (is_part or any(each.grad is not None for each in parameters))
        if not any(
            id(each) in self.trained or (each.requires_grad and may_train) for each in parameters
        ):
            yield name, module
            return
        for child, inner in module.named_children():
            path = f"{name}.{child}" if "/" in name else f"{name}/{child}"
            yield from self.roots(path, inner, is_part=True)

    def is_state(self, name: str, module: nn.Module) -> bool:
        """Return whether a module of the program is state: it trains, averages, or was there first.

        A copy of a model that the program puts aside later, such as the best one, is none.
        """
        parts = module.modules()
        if any(isinstance(each, optim.swa_utils.AveragedModel) for each in parts):
            return True
        if any(id(each) in self.trained for each in module.parameters()) or not self.trained:
            return True
        if is_called_average(name):
            return True
        return not _ASIDE.search(_last(name)) and self.first_modules.setdefault(
            name, not self.has_read
        )

    def kind_in(self, root: str, module: nn.Module) -> Callable[[str, torch.Tensor], Kind | None]:
        """Return what tells the kind of a tensor in a module of which nothing is trained.

        A frozen copy is an average only if it moves. What is called an average is one, unless the
        rest of it moves and this tensor does not: its weight is frozen, too.

        Returns:
            A function of a tensor's name and the tensor; None: its kind is that in any module.
        """
        moves = self._any_moves(root, module)
        is_named = isinstance(module, optim.swa_utils.AveragedModel) or is_called_average(root)

        def kind(name: str, tensor: torch.Tensor) -> Kind | None:
            owner, _, last = name.rpartition(".")
            has_moved = self._moves(name, tensor)  # every reading counts
            if not (is_named or moves):
                return Kind.OTHER if isinstance(tensor, nn.Parameter) else None
            if last in STATISTICS[:2] and not self.is_still(owner):
                return Kind.SHADOW
            is_dead = not moves and isinstance(tensor, nn.Parameter)
            return Kind.SHADOW if is_dead or has_moved else Kind.OTHER

        return kind

    def is_still(self, path: str) -> bool:
        """Return whether a part of a module, or that of which it is a copy, is kept still."""
        parts = re.split("[./]", path)
        return any(".".join(parts[at:]) in self.still for at in range(len(parts)))

    def _any_moves(self, root: str, module: nn.Module) -> bool:
        return any(self._moves(f"{root}#{at}", _sample(each)) for at, each in _numbered(module))

    def _moves(self, name: str, tensor: torch.Tensor) -> bool:
        now = digest(as_array(tensor))
        return self.first.setdefault(name, now) != now


def still_parts(modules: Iterable[nn.Module]) -> frozenset[str]:
    """Return the parts of modules that train which were put into evaluation mode, by path."""
    return frozenset(
        name
        for module in modules
        if module.training
        for name, part in module.named_modules()
        if not part.training
    )


def trained_by(optimizers: Iterable[optim.Optimizer]) -> frozenset[int]:
    """Return the ids of all parameters of some optimizers."""
    return frozenset(
        id(parameter)
        for optimizer in optimizers
        for group in optimizer.param_groups
        for parameter in group["params"]
    )


def is_called_average(name: str) -> bool:
    """Return whether a variable is called an average, or is part of one that is.

    The last part of the name decides, if it says anything.
    """
    is_aside = _ASIDE.search(_last(name))
    return not is_aside and (names_averages(name) or bool(_AVG.search(name.lower())))


def by_hand(held: Mapping[str, Any], modules: Iterable[nn.Module]) -> Iterator[Found]:
    """Yield the tensors of averages that a program keeps in dictionaries and lists.

    Their variable is called an average, and they have the names, or the shapes in order, of the
    tensors of a module. A dictionary of the module's own tensors is none.

    Args:
        held: the variables of the program by name.
        modules: the modules that it trains.
    """
    models = [_Model(module) for module in modules]
    for name, container in _containers(held.items(), _DEPTH):
        yield from next(filter(None, (model.matches(name, container) for model in models)), [])


class _Model:
    def __init__(self, module: nn.Module) -> None:
        held = module.state_dict(keep_vars=True)
        self._named = {name: each for name, each in held.items() if isinstance(each, torch.Tensor)}
        parameters = dict(module.named_parameters())
        trained = {name: each for name, each in parameters.items() if each.requires_grad}
        self._in_order = [each for each in (trained, parameters) if each]
        own = list(self._named.values())
        gradients = [each.grad for each in own if each.grad is not None]
        self._places = {each.data_ptr() for each in [*own, *gradients] if has_values(each)}

    def matches(self, name: str, container: Any) -> list[Found]:
        """Return the tensors of a container by name; empty: they are not those of this module."""
        if isinstance(container, dict):
            pairs: list[_Pair] = [
                (key, key.removeprefix(_WRAPPED), self._named.get(key.removeprefix(_WRAPPED)))
                for key in container
                if isinstance(key, str)
            ]
            whole = len(pairs) == len(container)
        else:
            every = (each for each in self._in_order if len(each) == len(container))
            pairs = [(at, key, it) for at, (key, it) in enumerate(next(every, {}).items())]
            whole = bool(pairs)
        fits = whole and all(self._is_like(container[key], own) for key, _, own in pairs)
        return [(f"{name}[{shown}]", _item(container, key)) for key, shown, _ in pairs if fits]

    def _is_like(self, value: Any, own: torch.Tensor | None) -> bool:
        return (
            isinstance(value, torch.Tensor)
            and own is not None
            and has_values(value)
            and has_values(own)
            and value.shape == own.shape
            and value.data_ptr() not in self._places
        )


def _item(container: Any, key: Any) -> Callable[[], torch.Tensor]:
    return lambda: container[key]


def _containers(
    items: Iterable[tuple[str, Any]], depth: int, averages: bool = False
) -> Iterator[tuple[str, Any]]:
    """Yield the lists and dictionaries of tensors that are called averages.

    `averages`: whether the object that holds them is called so, by its class.
    """
    for name, value in items:
        if _holds_tensors(value):
            if is_called_average(name) or (averages and not _ASIDE.search(_last(name))):
                yield name, value
        elif depth:
            is_average = averages or bool(_CLASS.search(type(value).__name__))
            yield from _containers(_held(name, value, is_average), depth - 1, is_average)


def _held(name: str, value: Any, is_average: bool) -> Iterable[tuple[str, Any]]:
    """Return what an object or a list holds; of libraries, averages alone are looked into.

    Nor are dictionaries: a checkpoint that was loaded holds averages, too.
    """
    if isinstance(value, dict):
        return ()
    if is_average and hasattr(value, "__dict__"):
        return [(f"{name}.{key}", each) for key, each in vars(value).items()]
    return inside(name, value)


def _holds_tensors(value: Any) -> bool:
    each = value.values() if isinstance(value, dict) else value
    return isinstance(value, dict | list | tuple) and any(
        isinstance(item, torch.Tensor) for item in islice(each, 1)
    )


def _last(name: str) -> str:
    return re.split(r"[./]", name.lower())[-1]


def _numbered(module: nn.Module) -> Iterator[tuple[int, torch.Tensor]]:
    yield from enumerate(each for each in module.parameters() if has_values(each))


def _sample(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().reshape(-1)[:_SAMPLE]
