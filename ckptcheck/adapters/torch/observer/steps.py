"""Training steps: from the forward pass of a module to the update of an optimizer.

PyTorch's global hooks report each update, of any optimizer. The forward pass of the outermost
module, and `backward`, say what it was computed from. A step is over when the next one begins, or
something is saved: several optimizers may update weights from one gradient.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn, optim
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.utils.data import dataloader

from ckptcheck.adapters.torch._internals import keyword_arguments_of_call
from ckptcheck.adapters.torch.arrays import has_values
from ckptcheck.adapters.torch.observer.batches import recorded
from ckptcheck.adapters.torch.observer.live import Live
from ckptcheck.arrays import Array
from ckptcheck.job.protocol import OnDevice
from ckptcheck.observer.observation import Observation
from ckptcheck.observer.reading import Batch, Item, batch_of
from ckptcheck.observer.wrapping import after, around, guarded

_STEP = "step"
# What is kept of the data of one step: an accumulating step reads several batches.
_MOST = 64


def watch(observation: Observation, live: Live) -> None:
    """Watch the forward passes, the gradients and the updates of the process."""
    _Steps(observation, live).watch()


@dataclass
class _Update:
    """The update of weights that a step makes.

    Attributes:
        loss: its training loss, or a function that reads it from the device.
        batch: what it read.
        rate: the learning rate of its first optimizer.
        optimizers: the ids of its optimizers.
    """

    loss: float | Callable[[], float] | None
    batch: Batch
    rate: float | None
    optimizers: set[int] = field(default_factory=set)


class _Steps:
    """Follows the thread that updates weights.

    Attributes:
        _is_open: whether a forward pass has begun of which no gradient was computed yet.
        _has_gradient: whether a gradient was computed since the last update.
        _update: the update of the step that is not over yet.
    """

    def __init__(self, observation: Observation, live: Live) -> None:
        self._observation = observation
        self._live = live
        self._is_open = self._has_gradient = False
        self._hook: Any = None
        self._evaluated: Item | None = None
        self._saves = 0
        self._given: deque[Item] = deque(maxlen=_MOST)
        self._fetched: deque[Item] = deque(maxlen=_MOST)
        self._loss: torch.Tensor | None = None
        self._unscaled: torch.Tensor | None = None
        self._update: _Update | None = None
        on_forward = guarded(self._on_forward)

        def unless_compiling(module: nn.Module, given: tuple[Any, ...]) -> None:
            if not torch.compiler.is_compiling():  # a compiled function would hold the hook
                on_forward(module, given)

        self._guarded_on_forward = unless_compiling

    def watch(self) -> None:
        self._watch_forward()
        self._observation.on_restore = self._watch_forward
        self._observation.end_step = self._end
        register_optimizer_step_pre_hook(guarded(self._on_update))
        register_optimizer_step_post_hook(guarded(self._on_updated))
        around(torch.Tensor, "backward", self._on_backward)
        around(torch.amp.GradScaler, "scale", self._on_scale)
        after(torch.amp.GradScaler, "step", self._on_scaled_step)
        around(dataloader._BaseDataLoaderIter, "__next__", self._on_next)

    def _watch_forward(self) -> None:
        """Watch for the next forward pass.

        A global hook costs time in the call of every module, and `torch.compile` would trace it: it
        is there until the outermost module has called it.
        """
        self._is_open = False
        if self._hook is None:
            self._hook = register_module_forward_pre_hook(self._guarded_on_forward)

    def _on_forward(self, module: nn.Module, given: tuple[Any, ...]) -> None:
        if not torch.is_grad_enabled():
            return
        if not module.training:  # it trains so if a gradient follows, and else is evaluated
            self._evaluated = self._evaluated or (self._observation.saves(), given)
            return
        self._hook.remove()
        self._hook = None
        self._begin()
        named = {} if given else keyword_arguments_of_call()
        self._given.append((self._observation.saves(), (given, named)))

    def _begin(self) -> None:
        self._end()
        self._is_open = True
        if not self._has_gradient or self._saves != self._observation.saves():
            self._observation.before(_STEP)
            self._saves = self._observation.saves()

    def _end(self) -> None:
        """Report the step whose weights were updated."""
        update, self._update = self._update, None
        if update is not None:
            batch, late = update.batch
            self._observation.framework = "torch"
            self._observation.stepped(_STEP, update.loss, batch, update.rate, late)

    def _on_backward(
        self, call: Callable[..., Any], tensor: torch.Tensor, /, *given: Any, **named: Any
    ) -> Any:
        if not self._is_open:
            self._begin()
            if self._evaluated is not None:
                self._given.append(self._evaluated)
        self._evaluated = None
        self._has_gradient = self._live.has_gradients = True
        self._watch_forward()
        self._loss = tensor.detach() if self._unscaled is None else self._unscaled
        self._unscaled = None
        return call(tensor, *given, **named)

    def _on_scale(
        self, call: Callable[..., Any], scaler: Any, /, outputs: Any, *given: Any, **named: Any
    ) -> Any:
        if isinstance(outputs, torch.Tensor):
            self._unscaled = outputs.detach()
        return call(scaler, outputs, *given, **named)

    def _on_scaled_step(self, *_: Any, **__: Any) -> None:
        """Forget gradients that are not finite: the scaler has left the update out."""
        self._has_gradient = self._live.has_gradients = False

    def _on_next(self, call: Callable[..., Any], loader: Any, /) -> Any:
        batch = call(loader)
        if torch.is_grad_enabled():
            self._fetched.append((self._observation.saves(), batch))
        return batch

    def _on_update(self, optimizer: optim.Optimizer, *_: Any) -> None:
        if self._update is not None and id(optimizer) in self._update.optimizers:
            self._end()  # twice within one step is twice a step
        if not self._is_open and not self._has_gradient and self._update is None:
            self._begin()

    def _on_updated(self, optimizer: optim.Optimizer, *_: Any) -> None:
        if self._update is None:
            batch = batch_of((self._given, self._fetched), self._observation.saves(), _recorded)
            rate = optimizer.param_groups[0].get("lr")
            self._update = _Update(
                _number(self._loss), batch, None if rate is None else float(rate)
            )
        self._update.optimizers.add(id(optimizer))
        self._forget()
        self._observation.updated()

    def _forget(self) -> None:
        self._loss = self._unscaled = None
        self._has_gradient = self._live.has_gradients = False
        self._watch_forward()
        self._given.clear()
        self._fetched.clear()


def _number(loss: torch.Tensor | None) -> float | Callable[[], float] | None:
    """Return a loss; of one on a device, a function that reads it later: to wait for it costs."""
    if loss is None or loss.numel() != 1:
        return None
    if loss.device.type == "cpu":
        return float(loss)
    kept = loss.clone()
    return lambda: float(kept)


def _recorded(items: Any) -> list[Array] | OnDevice:
    """Return what is recorded of the tensors and arrays in nested arguments."""
    return recorded(list(_leaves(items)))


def _leaves(items: Iterable[Any]) -> Iterator[torch.Tensor | Array]:
    for item in items:
        if isinstance(item, torch.Tensor):
            if has_values(item):
                yield item
        elif isinstance(item, np.ndarray):
            yield item
        elif isinstance(item, dict):
            yield from _leaves(item.values())
        elif isinstance(item, list | tuple):
            yield from _leaves(item)
        elif hasattr(item, "data") and isinstance(item.data, dict):  # a BatchEncoding
            yield from _leaves(item.data.values())
