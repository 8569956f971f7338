"""The ranks of a job of PyTorch, and what `DistributedDataParallel` copies between them."""

import os
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from ckptcheck.observer.ranks import Rank
from ckptcheck.observer.wrapping import after, everywhere

_WRAPPERS: "WeakSet[DistributedDataParallel]" = WeakSet()
_KEPT: list[Any] = []  # to the end of the process


def rank() -> Rank | None:
    """Return the rank of this process; None: it is the only one of its job.

    It is that of `torch.distributed`, or else what torchrun put into the environment.
    """
    if _is_initialized():
        number, count = distributed.get_rank(), distributed.get_world_size()
    else:
        asked = [os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE")]
        if not all(each.isdecimal() for each in asked):
            return None
        number, count = map(int, asked)
    return Rank(number, count) if count > 1 else None


def watch() -> None:
    """Note each `DistributedDataParallel` that the process makes."""
    after(DistributedDataParallel, "__init__", lambda module, *_, **__: _WRAPPERS.add(module))
    if distributed.is_available():
        owner = distributed.distributed_c10d
        everywhere("torch", owner, "destroy_process_group", _destroy_group)


def _destroy_group(destroy: Callable[..., None], /, *given: Any, **named: Any) -> None:
    """Destroy a group of processes, but keep what would be the last to hold it.

    PyTorch 2.13 frees a reducer while it holds the interpreter's lock, and with it the group, whose
    thread is waited for. That thread may need the lock to free a tensor: neither ever ends.
    """
    held = {id(each) for each in _KEPT}
    reducers = (module.reducer for module in _WRAPPERS)
    _KEPT.extend(each for each in reducers if id(each) not in held)
    destroy(*given, **named)


def overwritten() -> set[int]:
    """Return the ids of the buffers that each forward pass overwrites by those of rank 0."""
    if not _is_initialized() or distributed.get_rank() == 0:
        return set()
    return {
        id(buffer)
        for module in _WRAPPERS
        if module.broadcast_buffers
        for buffer in module.buffers()
    }


def unwrapped(item: Any) -> Any:
    """Return the module that `DistributedDataParallel` wraps: its tensors keep their names."""
    while isinstance(item, DistributedDataParallel):
        item = item.module
    return item


def _is_initialized() -> bool:
    return bool(distributed.is_available() and distributed.is_initialized())
