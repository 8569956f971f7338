"""A save within an epoch; the loop resumes with the first batch of that epoch."""

import sys
from itertools import islice
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

LENGTH = 6  # batches in an epoch


def batches(data, step, fixed):
    """Yield the batches of an epoch, in an order that follows from its number."""
    order = torch.Generator().manual_seed(step // LENGTH)
    loader = DataLoader(data, batch_size=8, shuffle=True, generator=order)
    done = step % LENGTH if fixed else 0
    return islice(loader, done, None)


def main(folder, fixed):
    torch.manual_seed(0)
    data = torch.randn(8 * LENGTH, 8)
    model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 8))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    path, step = folder / "last.pt", 0
    if path.exists():
        saved = torch.load(path)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step = saved["step"]
    while step < 3 * LENGTH:
        for inputs in batches(data, step, fixed):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(inputs), inputs).backward()
            optimizer.step()
            step += 1
            if step % 4 == 0:
                saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
                torch.save({**saved, "step": step}, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
