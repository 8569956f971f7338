"""What the clean PyTorch jobs vary: a small network, and a loop with a checkpoint of everything."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from ckptcheck import Step
from ckptcheck.adapters.torch import TorchJob

BATCH, STEPS = 8, 4
X = torch.randn(BATCH * STEPS, 6, generator=torch.Generator().manual_seed(0))
Y = X[:, :1] * X[:, 1:2] + X[:, 2:3]
RNG = torch.get_rng_state, torch.set_rng_state


class Loop(TorchJob):
    """A loop whose checkpoint holds the network, the optimizer, and `more`."""

    steps_per_epoch = STEPS

    def setup(self) -> Mapping[str, Any]:
        torch.set_num_threads(1)  # the networks are small, and runs go on side by side
        self.net = self.network()
        self.optimizer = self.make_optimizer()
        return {"net": self.net, "optimizer": self.optimizer, **self.more()}

    def network(self) -> Any:
        return nn.Sequential(nn.Linear(6, 3), nn.Tanh(), nn.Linear(3, 1))

    def make_optimizer(self) -> Any:
        return torch.optim.Adam(self.net.parameters(), 0.01)

    def more(self) -> dict[str, Any]:
        return {}

    def batch(self, step: int) -> tuple[Any, Any]:
        start = step % STEPS * BATCH
        return X[start : start + BATCH], Y[start : start + BATCH]

    def loss(self, x: Any, y: Any) -> Any:
        return functional.mse_loss(self.net(x).float(), y)

    def update(self, x: Any, y: Any) -> Any:
        loss = self.loss(x, y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def train(self, step: int) -> Step:
        x, y = self.batch(step)
        return Step(self.update(x, y), batch=[x, y])

    def evaluate(self) -> Any:
        self.net.eval()
        with torch.no_grad():
            return self.loss(X, Y)


class Counted(Loop):
    """A loop that counts its steps: not every optimizer does."""

    def setup(self) -> Mapping[str, Any]:
        self.step = 0
        return {**super().setup(), "step": self.step}

    def train(self, step: int) -> Step:
        done = super().train(step)
        self.step += 1
        return done


class Drawing(Loop):
    """A loop that draws from PyTorch's generator, which the checkpoint holds."""

    def setup(self) -> Mapping[str, Any]:
        return {**super().setup(), "rng": RNG}
