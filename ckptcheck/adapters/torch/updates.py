"""The updates of optimizers in a training step: how many, and with which learning rate."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import optim
from torch.optim.optimizer import register_optimizer_step_pre_hook


class Updates:
    """Watches the optimizers of this process, from now on.

    Attributes:
        count: how many updates the latest step made.
        rate: the learning rate of its first update; None: it made none.
        is_training: whether a step goes on.
        steps: how many steps were begun.
    """

    def __init__(self) -> None:
        self.count = 0
        self.rate: float | None = None
        self.is_training = False
        self.steps = 0
        register_optimizer_step_pre_hook(self._note)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch one training step."""
        self.count, self.rate, self.is_training = 0, None, True
        self.steps += 1
        yield
        self.is_training = False

    def _note(self, optimizer: optim.Optimizer, *_: Any) -> None:
        if self.is_training and not self.count:
            rate = optimizer.param_groups[0].get("lr")
            self.rate = None if rate is None else float(rate)
        self.count += 1
