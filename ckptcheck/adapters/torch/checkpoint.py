"""What a PyTorch checkpoint holds of the parts of a job: how it is saved, loaded, and named.

A part is an object with `state_dict` and `load_state_dict`, a `torch.Generator`, a pair of
functions that get and set a value, or a plain value: a number, a tensor, a list or a dictionary.
"""

import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn, optim

from ckptcheck.adapters.torch.arrays import as_array
from ckptcheck.arrays import Array
from ckptcheck.job.protocol import RANDOM, Restored, RestoreRefusedError, Tensor
from ckptcheck.run.digests import digest

Parts = Mapping[str, Any]
# The key of a value in a checkpoint: its place in the nested dictionaries, joined by slashes.
Leaf = tuple[str, Any]
# Returns the live state, by which a restore knows what it has filled.
State = Callable[[], Mapping[str, Tensor]]


def is_stateful(part: Any) -> bool:
    """Return whether a part saves and loads itself."""
    return callable(getattr(part, "state_dict", None)) and callable(
        getattr(part, "load_state_dict", None)
    )


def is_pair(part: Any) -> bool:
    """Return whether a part is a pair of functions, one that gets a value and one that sets it."""
    return isinstance(part, tuple) and len(part) == 2 and all(map(callable, part))


def saved_of(part: Any) -> Any:
    """Return what a checkpoint holds of a part."""
    if is_stateful(part):
        return part.state_dict()
    if isinstance(part, torch.Generator):
        return part.get_state()
    return part[0]() if is_pair(part) else part


def load_into(part: Any, saved: Any) -> None:
    """Load what a checkpoint holds of a part; a tensor, a list or a dictionary is filled in place.

    Raises:
        Exception: whatever `load_state_dict` or a function of the part raises.
    """
    if is_stateful(part):
        part.load_state_dict(saved)
    elif isinstance(part, torch.Generator):
        part.set_state(saved)
    elif is_pair(part):
        part[1](saved)
    elif isinstance(part, torch.Tensor):
        with torch.no_grad():
            part.copy_(saved)
    elif isinstance(part, list) and len(part) != len(saved):
        part[:] = saved
    else:
        for key, value in saved.items() if isinstance(part, dict) else enumerate(saved):
            if isinstance(value, torch.Tensor) and (isinstance(part, list) or key in part):
                load_into(part[key], value)
            else:
                part[key] = value


def load_checkpoint(
    path: Path,
    parts: Parts,
    names: Sequence[str],
    weights: Mapping[int, str],
    state: State,
    *,
    weights_only: bool,
) -> Restored:
    """Load parts of a checkpoint, and report what it holds, named as in the live state.

    Args:
        path: a file that `torch.save` wrote: a dictionary with an item for each part.
        parts: all parts of the job by name.
        names: the parts to load.
        weights: the names of the parameters of all modules, by `id`.
        state: returns the live state.
        weights_only: whether `torch.load` refuses a file that holds more than tensors and numbers.

    Raises:
        RestoreRefusedError: the file lacks a part, or a part does not take what it holds.
        Exception: whatever `torch.load` raises.
    """
    saved = torch.load(path, weights_only=weights_only)
    keys = {name: list(_keys(name, parts.get(name), saved[name], weights)) for name in saved}
    held = [key for each in keys.values() for key in each]
    for name in names:
        try:
            load_into(parts[name], saved[name])
        except Exception as error:
            asked = {
                key: key for each in names for key in _asked(each, parts[each], keys.get(each))
            }
            raise RestoreRefusedError(error, asked=asked, held=held) from error
    live = state()
    filled = {key: key for name in names for key in keys[name] if key in live}
    for name in names:
        filled |= _by_value(name, saved[name], live) if _is_plain(parts[name]) else {}
    arrays = map(as_value, _values(saved))
    return Restored(filled, held, [digest(array) for array in arrays if array is not None])


def as_value(value: Any) -> Array | None:
    """Return a number or a tensor as an array, as the live state has it; None: it is neither."""
    if isinstance(value, torch.Tensor):
        is_dense = value.layout is torch.strided and not (value.is_quantized or value.is_meta)
        return as_array(value) if is_dense else None
    if isinstance(value, tuple):  # the state of a generator of Python or NumPy
        return np.frombuffer(pickle.dumps(value, protocol=4), np.uint8)
    return np.array(value) if isinstance(value, bool | int | float | np.ndarray) else None


def values_of(name: str, value: Any, live: Mapping[str, Tensor]) -> Iterator[tuple[str, Array]]:
    """Yield the numbers and tensors of a plain value that the live state does not name."""
    if any(tensor.startswith((f"{name}[", f"{name}/")) or tensor == name for tensor in live):
        return
    is_nested = isinstance(value, Mapping | list)
    for key, each in _leaves(name, value) if is_nested else [(name, value)]:
        array = as_value(each)
        if array is not None:
            yield _bracketed(key), array


def _leaves(key: str, value: Any) -> Iterator[Leaf]:
    """Yield the key and the value of everything in nested dictionaries and lists."""
    inner: Any = ()
    if isinstance(value, Mapping):
        inner = value.items()
    elif isinstance(value, list | tuple):
        inner = enumerate(value)
    else:
        yield key, value
    for name, each in inner:
        yield from _leaves(f"{key}/{name}" if key else str(name), each)


def _values(saved: Any) -> Iterator[Any]:
    """Yield the values in a checkpoint, and the tuples whole: they may be that of a generator."""
    if isinstance(saved, Mapping | list | tuple):
        if isinstance(saved, tuple):
            yield saved
        for each in saved.values() if isinstance(saved, Mapping) else saved:
            yield from _values(each)
    else:
        yield saved


def _is_plain(part: Any) -> bool:
    return not (is_stateful(part) or isinstance(part, torch.Generator))


def _asked(name: str, part: Any, keys: Iterable[str] | None) -> Iterable[str]:
    """Return the keys that a part asks a checkpoint for: of a module, those of all its tensors."""
    if keys is None:
        return [name]
    return [f"{name}/{key}" for key in part.state_dict()] if isinstance(part, nn.Module) else keys


def _keys(name: str, part: Any, saved: Any, weights: Mapping[int, str]) -> Iterable[str]:
    """Return the names of all that a checkpoint holds of a part, those of the live state."""
    if isinstance(part, optim.Optimizer):
        return _of_optimizer(name, part, saved, weights)
    if isinstance(part, torch.Generator):
        return [f"{RANDOM}{name}"]
    return (_bracketed(key) for key, _ in _leaves(name, saved))


def _bracketed(key: str) -> str:
    """Return a key with the place in a list in brackets: `group 0/betas[1]`."""
    owner, _, last = key.rpartition("/")
    return f"{owner}[{last}]" if last.isdigit() and "/" in owner else key


def _of_optimizer(
    name: str, optimizer: optim.Optimizer, saved: Any, weights: Mapping[int, str]
) -> Iterator[str]:
    """Yield the names of settings and of the state of each parameter, which the file numbers."""
    names = {
        number: weights.get(id(parameter), f"parameter {place}")
        for number, (place, parameter) in enumerate(
            each for group in optimizer.param_groups for each in enumerate(group["params"])
        )
    }
    for at, group in enumerate(saved.get("param_groups", ())):
        yield from (_bracketed(f"{name}/group {at}/{key}") for key, _ in _leaves("", group))
    for number, of_parameter in saved.get("state", {}).items():
        yield from (f"{name}/{names.get(number, number)}/{key}" for key in of_parameter)


def _by_value(name: str, saved: Any, live: Mapping[str, Tensor]) -> dict[str, str]:
    """Return the live tensors that have the very values of a plain part, whatever set them."""
    arrays = [as_value(value) for _, value in [(name, saved), *_leaves(name, saved)]]
    found = {digest(array) for array in arrays if array is not None}
    return {
        tensor: tensor
        for tensor, its in live.items()
        if tensor.startswith((name, RANDOM)) and digest(its.value) in found
    }
