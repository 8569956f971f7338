"""Objects of PyTorch by name, and the state of all that they and this process hold."""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from torch import nn, optim

from ckptcheck.adapters.torch.observer import made
from ckptcheck.adapters.torch.observer.live import Live
from ckptcheck.adapters.torch.observer.names import holders
from ckptcheck.job.protocol import Tensor
from ckptcheck.observer.program import Program


class _Variables(Program):
    """Objects as the variables of a program, which a reader of its state goes through."""

    def __init__(self, read: Callable[[], Mapping[str, Any]]) -> None:
        super().__init__()
        self._read = read

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        return dict(self._read())


class Named:
    """Objects of PyTorch by name.

    Args:
        read: returns the objects that there are now, by name.

    Attributes:
        live: the reader of their state.
    """

    def __init__(self, read: Callable[[], Mapping[str, Any]]) -> None:
        made.watch()
        made.note_existing()
        self._variables = _Variables(read)
        self.live = Live(self._variables, is_accumulating=False)

    def state(self) -> Mapping[str, Tensor]:
        """Return the state of the objects, of what nothing names, and of the generators."""
        named = holders(self._variables)
        if any(name.startswith(type(item).__name__) for name, item in named.items()):
            gc.collect()  # what is named after its class may be garbage that was not collected yet
            named = holders(self._variables)
        return self.live.of(named).tensors

    def state_of_named(self) -> Mapping[str, Tensor]:
        """Return the state of the objects and of the generators alone."""
        return self.live.of(self._variables.__dict__).tensors

    def weights(self) -> dict[int, str]:
        """Return the names of all parameters in their modules, by `id`."""
        names: dict[int, str] = {}
        for module in self._of(nn.Module):
            for name, parameter in module.named_parameters():
                names.setdefault(id(parameter), name)
        return names

    @cached_property
    def trains(self) -> bool:
        """Whether an optimizer of PyTorch makes the updates."""
        return bool(self._of(optim.Optimizer))

    def has_gradients(self) -> bool:
        """Return whether any parameter of a module has a gradient."""
        return any(
            parameter.grad is not None
            for module in self._of(nn.Module)
            for parameter in module.parameters()
        )

    @contextmanager
    def modes_kept(self) -> Iterator[None]:
        """Put every module into the mode that it was in, afterwards."""
        modes = [(part, part.training) for each in self._of(nn.Module) for part in each.modules()]
        yield
        for part, mode in modes:
            part.training = mode

    def _of(self, kind: type) -> list[Any]:
        return [each for each in holders(self._variables).values() if isinstance(each, kind)]
