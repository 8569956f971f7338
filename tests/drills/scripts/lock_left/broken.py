"""Makes a lock file and removes it at the end: a kill leaves it, and no restart gets past it."""

import os
import sys
import time
from pathlib import Path

import torch
from torch import nn

STEPS, SAVE_EVERY = 40, 8


def train_step(model, optimizer, step):
    inputs = torch.randn(16, 64, generator=torch.Generator().manual_seed(step))
    loss = nn.functional.mse_loss(model(inputs), inputs[:, :1].sin())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    time.sleep(0.01)
    return loss.item()


def save_safely(state, path):
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def train(folder):
    torch.set_num_threads(1)
    torch.manual_seed(6)
    model = nn.Sequential(nn.Linear(64, 8192), nn.BatchNorm1d(8192), nn.ReLU(), nn.Linear(8192, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=3e-4, momentum=0.9)
    checkpoint = folder / "checkpoint.pt"
    start = 0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        start = state["step"]
    for step in range(start + 1, STEPS + 1):
        loss = train_step(model, optimizer, step)
        print(f"step {step} loss {loss:.9g}", flush=True)
        if step % SAVE_EVERY == 0:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
            save_safely(state, checkpoint)


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / "run.lock"
    if lock.exists():
        sys.exit(f"{lock} exists: another run writes to {folder}")
    lock.touch()
    try:
        train(folder)
    finally:
        lock.unlink()


if __name__ == "__main__":
    main()
