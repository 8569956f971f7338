"""Deletes the old checkpoint once the new one is whole."""

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


def save(state, folder):
    path = folder / f"ckpt-{state['step']:05d}.pt"
    save_safely(state, path)
    for old in folder.glob("ckpt-*.pt"):
        if old != path:
            old.unlink()


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(64, 8192), nn.BatchNorm1d(8192), nn.ReLU(), nn.Linear(8192, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    start = 0
    checkpoints = sorted(folder.glob("ckpt-*.pt"))
    if checkpoints:
        state = torch.load(checkpoints[-1])
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        start = state["step"]
    for step in range(start + 1, STEPS + 1):
        loss = train_step(model, optimizer, step)
        print(f"step {step} loss {loss:.9g}", flush=True)
        if step % SAVE_EVERY == 0:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
            save(state, folder)


if __name__ == "__main__":
    main()
