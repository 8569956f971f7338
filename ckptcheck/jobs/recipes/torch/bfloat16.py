"""Weights in bfloat16, momentum in float32: load_state_dict casts the momentum to bfloat16."""

import sys
from pathlib import Path

import torch
from torch import nn


class Momentum(torch.optim.Optimizer):
    """Gradient descent with a momentum in float32."""

    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if "momentum" not in self.state[p]:
                    self.state[p]["momentum"] = torch.zeros_like(p, dtype=torch.float32)
                momentum = self.state[p]["momentum"].mul_(0.9).add_(p.grad)
                p.copy_(p - group["lr"] * momentum)


def load(optimizer, saved, fixed):
    optimizer.load_state_dict(saved)
    if fixed:
        (group,) = optimizer.param_groups
        for number, state in saved["state"].items():
            p = group["params"][number]
            optimizer.state[p]["momentum"] = state["momentum"].clone()


def main(folder, fixed):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8)).bfloat16()
    optimizer = Momentum(model.parameters(), lr=0.1)
    path, step = folder / "last.pt", 0
    if path.exists():
        saved = torch.load(path)
        model.load_state_dict(saved["model"])
        load(optimizer, saved["optimizer"], fixed)
        step = saved["step"]
    while step < 18:
        inputs = torch.randn(8, 8, generator=torch.Generator().manual_seed(step)).bfloat16()
        optimizer.zero_grad()
        nn.functional.mse_loss(model(inputs), inputs).backward()
        optimizer.step()
        step += 1
        if step % 4 == 0:
            saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save({**saved, "step": step}, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
