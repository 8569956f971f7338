"""A model that normalizes by running statistics, in a buffer that state_dict leaves out."""

import sys
from pathlib import Path

import torch
from torch import nn


class Normalize(nn.Module):
    """Divides by a running estimate of the size of its inputs."""

    def __init__(self, fixed):
        super().__init__()
        self.register_buffer("size", torch.ones(8), persistent=fixed)

    def forward(self, inputs):
        self.size.mul_(0.9).add_(inputs.detach().abs().mean(0), alpha=0.1)
        return inputs / self.size


def main(folder, fixed):
    torch.manual_seed(0)
    model = nn.Sequential(Normalize(fixed), nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    path, step = folder / "last.pt", 0
    if path.exists():
        saved = torch.load(path)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step = saved["step"]
    while step < 18:
        inputs = torch.randn(8, 8, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        nn.functional.mse_loss(model(inputs), inputs).backward()
        optimizer.step()
        step += 1
        if step % 4 == 0:
            saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save({**saved, "step": step}, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
