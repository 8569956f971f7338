"""A scheduler that is built after the optimizer was loaded: its first step sets the rate anew."""

import sys
from pathlib import Path

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR


def load(path, model, optimizer, fixed):
    """Load what was saved; return the scheduler and the number of steps done."""
    if fixed:
        scheduler = LambdaLR(optimizer, warm_up)
    saved = torch.load(path)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    if not fixed:
        scheduler = LambdaLR(optimizer, warm_up)
    scheduler.load_state_dict(saved["scheduler"])
    return scheduler, saved["step"]


def warm_up(step):
    return min(1.0, (step + 1) / 15)


def main(folder, fixed):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 8))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    path = folder / "last.pt"
    if path.exists():
        scheduler, step = load(path, model, optimizer, fixed)
    else:
        scheduler, step = LambdaLR(optimizer, warm_up), 0
    while step < 18:
        inputs = torch.randn(8, 8, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        nn.functional.mse_loss(model(inputs), inputs).backward()
        optimizer.step()
        scheduler.step()
        step += 1
        if step % 4 == 0:
            saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save({**saved, "scheduler": scheduler.state_dict(), "step": step}, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
