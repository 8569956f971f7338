"""The live state of a process: modules, optimizers, schedulers, scalers and generators."""

import contextlib
import random
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn, optim

from ckptcheck.adapters.torch.arrays import as_array, has_values
from ckptcheck.adapters.torch.generators import of_bit_generator, of_numpy, of_python
from ckptcheck.adapters.torch.observer.averages import (
    STATISTICS,
    Averages,
    by_hand,
    still_parts,
    trained_by,
)
from ckptcheck.adapters.torch.observer.names import holders
from ckptcheck.adapters.torch.observer.ranks import overwritten
from ckptcheck.arrays import Array
from ckptcheck.job.protocol import RANDOM, Tensor
from ckptcheck.kinds import Kind
from ckptcheck.observer.program import Program
from ckptcheck.run.containers import attributes
from ckptcheck.run.digests import digest

# What an optimizer keeps for each parameter, and is no momentum.
_COUNTS = ("step",)
# What ReduceLROnPlateau remembers of the losses.
_REMEMBERED = ("best", "num_bad_epochs", "cooldown_counter")

# What a scheduler counts: its steps, and those since a warm restart.
_COUNTED = ("last_epoch", "T_cur")

_Read = Callable[[], Tensor]


@dataclass(frozen=True)
class Reading:
    """The live state at one moment: its tensors, and where to read them again."""

    tensors: Mapping[str, Tensor]
    readers: Mapping[str, _Read]

    def again(self, *kinds: Kind) -> Mapping[str, Tensor]:
        """Return the present values, also of what the program has dropped since.

        `kinds`: only these; none: all.
        """
        found = {}
        for name, read in self.readers.items():
            if not kinds or self.tensors[name].kind in kinds:
                with contextlib.suppress(KeyError):  # the program has emptied an optimizer
                    found[name] = read()
        return found


class Live:
    """What holds state in this process.

    Args:
        program: the program, whose variables name it.
        is_accumulating: whether the control held gradients of an unfinished step.

    Attributes:
        has_gradients: whether gradients are state now: a part of a step is done.
    """

    def __init__(self, program: Program, is_accumulating: bool) -> None:
        self._program = program
        self._averages = Averages()
        self.has_gradients = is_accumulating

    def read(self) -> Reading:
        """Return the live state."""
        return self.of(holders(self._program))

    def of(self, named: Mapping[str, Any]) -> Reading:
        """Return the live state of these objects, and of the global generators."""
        readers = dict(self._readers(named))
        if self.has_gradients:
            readers |= _gradients(named, self._averages.trained)
        return Reading({name: read() for name, read in readers.items()}, readers)

    def _readers(self, named: Mapping[str, Any]) -> Iterator[tuple[str, _Read]]:
        optimizers = [each for each in named.values() if isinstance(each, optim.Optimizer)]
        modules = [each for each in named.values() if isinstance(each, nn.Module)]
        self._averages.trained = trained_by(optimizers)
        self._averages.still = still_parts(modules)
        parameters: dict[int, str] = {}
        named = {
            name: item
            for name, item in named.items()
            if not isinstance(item, nn.Module) or self._averages.is_state(name, item)
        }
        self._averages.has_read = True
        yield from _of_modules(named, self._averages, parameters)
        seen: set[int] = set()
        for holder, item in named.items():
            if isinstance(item, optim.Optimizer):
                yield from _of_optimizer(holder, item, parameters, seen)
            elif isinstance(item, optim.lr_scheduler.LRScheduler | torch.amp.GradScaler):
                yield from _of_numbers(holder, item)
        for name, generator in _generators(named).values():
            yield f"{RANDOM}{name}", _rng(generator)
        for name, other in _of_numpy(named):
            yield f"{RANDOM}numpy/{name}", _bits_of(other)
        for name, get in by_hand(vars(self._program), modules):
            yield name, _shadow(get)
        yield from _global_generators()

    def counts(self) -> Mapping[str, int]:
        """Return how many steps the optimizers have counted, if they count."""
        counted = [
            int(held["step"])
            for item in holders(self._program).values()
            if isinstance(item, optim.Optimizer)
            for held in item.state.values()
            if isinstance(held, Mapping) and "step" in held
        ]
        return {"iterations": max(counted)} if counted else {}

    def sealed(self) -> Iterator[str]:
        """Yield the recurrent layers on a device whose dropout cuDNN draws by itself."""
        for holder, item in holders(self._program).items():
            for name, module in item.named_modules() if isinstance(item, nn.Module) else ():
                is_drawn = (
                    isinstance(module, nn.RNNBase) and module.dropout and module.num_layers > 1
                )
                if is_drawn and module.training and _runs_on_cudnn(module):
                    yield f"{holder}/{name}" if name else holder

    def poison(self, seed: int, spared: Collection[str]) -> None:
        """Add noise to every parameter that is trained, so that a restore that does nothing shows.

        Args:
            seed: the seed of the noise.
            spared: digests of values that stay: a restore that was not seen has brought them.
        """
        for holder, item in holders(self._program).items():
            for name, parameter in item.named_parameters() if isinstance(item, nn.Module) else ():
                is_real = has_values(parameter) and parameter.is_floating_point()
                if not (is_real and parameter.requires_grad):
                    continue
                value = as_array(parameter)
                if digest(value) in spared:
                    continue
                draw = np.random.default_rng([seed, *f"{holder}/{name}".encode()])
                noise = torch.from_numpy(draw.normal(size=value.shape))
                with torch.no_grad():
                    parameter.add_(noise.to(parameter.device, parameter.dtype))


def _runs_on_cudnn(module: nn.Module) -> bool:
    return torch.backends.cudnn.enabled and any(each.is_cuda for each in module.parameters())


def _of_modules(
    named: Mapping[str, Any], averages: Averages, parameters: dict[int, str]
) -> Iterator[tuple[str, _Read]]:
    for holder, item in named.items():
        if isinstance(item, nn.Module):
            for name, parameter in item.named_parameters():
                parameters.setdefault(id(parameter), f"{holder}/{name}")
            yield from _of_module(holder, item, averages)


def _of_module(holder: str, module: nn.Module, averages: Averages) -> Iterator[tuple[str, _Read]]:
    untrained = [
        (id(tensor), averages.kind_in(name, root))
        for name, root in averages.roots(holder, module)
        for tensor in (*root.parameters(), *root.buffers())
    ]
    kinds = dict(reversed(untrained))
    seen = overwritten()
    for tensors in (module.named_parameters(), module.named_buffers()):
        for name, tensor in tensors:
            if id(tensor) not in seen and has_values(tensor):
                seen.add(id(tensor))
                whole = f"{holder}/{name}"
                told = kinds.get(id(tensor))
                kind = (told and told(whole, tensor)) or _kind_of(whole, tensor, averages)
                yield whole, _reader(kind, module, name)


def _gradients(named: Mapping[str, Any], trained: Collection[int]) -> Iterator[tuple[str, _Read]]:
    for holder, item in named.items():
        if isinstance(item, nn.Module):
            for name, parameter in item.named_parameters():
                if parameter.requires_grad and (id(parameter) in trained or not trained):
                    yield f"{holder}/{name}/grad", _gradient(parameter)


def _gradient(parameter: nn.Parameter) -> _Read:
    def read() -> Tensor:
        held = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        return Tensor(Kind.ACCUMULATOR, as_array(held.to_dense()))

    return read


def _kind_of(name: str, tensor: torch.Tensor, averages: Averages) -> Kind:
    owner, _, last = name.rpartition(".")
    if last in STATISTICS:
        return Kind.OTHER if averages.is_still(owner) else Kind.MOVING_STATISTIC
    return Kind.WEIGHT if isinstance(tensor, nn.Parameter) else Kind.OTHER


def _reader(kind: Kind, module: nn.Module, path: str) -> _Read:
    """Return what reads a tensor of a module by its path: the program may replace the tensor."""
    owner, _, name = path.rpartition(".")
    holder = module.get_submodule(owner)
    return lambda: Tensor(kind, as_array(getattr(holder, name)))


def _shadow(get: Callable[[], torch.Tensor]) -> _Read:
    return lambda: Tensor(Kind.SHADOW, as_array(get()))


def _of_optimizer(
    holder: str, optimizer: optim.Optimizer, parameters: Mapping[int, str], seen: set[int]
) -> Iterator[tuple[str, _Read]]:
    """Yield the settings and the state of an optimizer; it may share groups that were seen."""
    for number, group in enumerate(optimizer.param_groups):
        settings = {} if id(group) in seen else group
        seen.add(id(group))
        for key, value in settings.items():
            for name, place in _numbers_in(key, value):
                yield (
                    f"{holder}/group {number}/{name}",
                    _setting(Kind.HYPERPARAMETER, group, key, place),
                )
        for place, parameter in enumerate(group["params"]):
            whole = parameters.get(id(parameter), f"group {number}/parameter {place}")
            for key, value in optimizer.state.get(parameter, {}).items():
                if isinstance(value, torch.Tensor | int | float):
                    kind = Kind.COUNTER if key in _COUNTS else Kind.SLOT
                    name = f"{holder}/{whole.partition('/')[2]}/{key}"
                    yield name, _slot(kind, optimizer, parameter, key)


def _slot(kind: Kind, optimizer: optim.Optimizer, parameter: Any, key: str) -> _Read:
    # To ask a defaultdict for what it has not would change it.
    return lambda: Tensor(kind, _value(optimizer.state.get(parameter, {})[key]))


def _numbers_in(key: str, value: Any) -> Iterator[tuple[str, int | None]]:
    """Yield the name of each number in a setting, and its place in a tuple such as `betas`."""
    if isinstance(value, tuple | list):
        yield from (
            (f"{key}[{place}]", place)
            for place, each in enumerate(value)
            if isinstance(each, bool | int | float)
        )
    elif isinstance(value, bool | int | float) or (
        isinstance(value, torch.Tensor) and value.ndim == 0
    ):
        yield key, None


def _setting(kind: Kind, held: Mapping[str, Any], key: str, place: int | None) -> _Read:
    return lambda: Tensor(kind, _value(held[key] if place is None else held[key][place]))


def _of_numbers(holder: str, item: Any) -> Iterator[tuple[str, _Read]]:
    """Yield the numbers in the `state_dict` of a scheduler or of a gradient scaler."""
    is_scaler = isinstance(item, torch.amp.GradScaler)
    for key, value in item.state_dict().items():
        if key.startswith("_") and not is_scaler:
            continue  # for display and warnings
        for name, place in _numbers_in(key, value):
            kind = Kind.LOSS_SCALE if is_scaler else _kind_in_scheduler(key)
            yield f"{holder}/{name}", _of_state(kind, item, key, place)


def _kind_in_scheduler(key: str) -> Kind:
    if key in _REMEMBERED:
        return Kind.PYTHON
    return Kind.COUNTER if key in _COUNTED else Kind.HYPERPARAMETER


def _of_state(kind: Kind, item: Any, key: str, place: int | None) -> _Read:
    return lambda: _setting(kind, item.state_dict(), key, place)()


def _generators(named: Mapping[str, Any]) -> dict[int, tuple[str, torch.Generator]]:
    """Return the generators of a program, and those of its loaders, each under one name."""
    held = [(name, item) for name, item in named.items() if isinstance(item, torch.Generator)]
    loaders = {
        name: item for name, item in named.items() if isinstance(item, torch.utils.data.DataLoader)
    }
    for name, loader in loaders.items():
        for path, owner in (("", loader), (".sampler", loader.sampler)):
            generator = getattr(owner, "generator", None)
            if isinstance(generator, torch.Generator):
                held.append((f"{name}{path}.generator", generator))
    found: dict[int, tuple[str, torch.Generator]] = {}
    # An iterator that a program begins holds the generator of its loader, too: deep inside.
    for name, generator in sorted(held, key=lambda each: each[0].count(".")):
        found.setdefault(id(generator), (name, generator))
    return found


def _of_numpy(named: Mapping[str, Any]) -> Iterator[tuple[str, np.random.Generator]]:
    """Yield the generators of NumPy in variables, and in the data of loaders, each once."""
    seen: set[int] = set()
    for name, item in named.items():
        held = [(name, item)]
        if isinstance(item, torch.utils.data.DataLoader):
            data = f"{name}.dataset"
            held = [(f"{data}.{key}", value) for key, value in attributes(item.dataset).items()]
        for place, value in held:
            if isinstance(value, np.random.Generator) and id(value) not in seen:
                seen.add(id(value))
                yield place, value


def _bits_of(generator: np.random.Generator) -> _Read:
    return lambda: Tensor(Kind.RNG, of_bit_generator(generator.bit_generator.state))


def _rng(generator: torch.Generator) -> _Read:
    return lambda: Tensor(Kind.RNG, as_array(generator.get_state()))


def _global_generators() -> Iterator[tuple[str, _Read]]:
    yield f"{RANDOM}torch", lambda: Tensor(Kind.RNG, as_array(torch.get_rng_state()))
    yield f"{RANDOM}python", lambda: Tensor(Kind.RNG, of_python(random.getstate()))
    yield (
        f"{RANDOM}numpy",
        lambda: Tensor(Kind.RNG, of_numpy(np.random.get_state(legacy=True))),
    )
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        for device in range(torch.cuda.device_count()):
            yield f"{RANDOM}cuda:{device}", _cuda_rng(device)


def _cuda_rng(device: int) -> _Read:
    return lambda: Tensor(Kind.RNG, as_array(torch.cuda.get_rng_state(device)))


def _value(value: Any) -> Array:
    return as_array(value) if isinstance(value, torch.Tensor) else np.array(value)
