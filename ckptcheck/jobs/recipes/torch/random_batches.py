"""Batches at random places, as in nanoGPT: no loader, no epochs, no generator in the file."""

import sys
from pathlib import Path

import torch
from torch import nn

TEXT = torch.randint(20, (500,), generator=torch.Generator().manual_seed(1))


def batch(step, fixed):
    """Return characters, and those that follow them."""
    order = torch.Generator().manual_seed(step) if fixed else None
    places = torch.randint(len(TEXT) - 1, (16,), generator=order)
    return TEXT[places], TEXT[places + 1]


def main(folder, fixed):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(20, 8), nn.GELU(), nn.Linear(8, 20))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    path, step = folder / "ckpt.pt", 0
    if path.exists():
        saved = torch.load(path)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step = saved["step"]
    while step < 18:
        inputs, targets = batch(step, fixed)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
        step += 1
        if step % 4 == 0:
            saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save({**saved, "step": step}, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
