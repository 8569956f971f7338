"""Counts its steps in the checkpoint itself, and ends when a save fails."""

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


def save(state, path):
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(64, 1024), nn.BatchNorm1d(1024), nn.Tanh(), nn.Linear(1024, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
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
            save(state, checkpoint)


if __name__ == "__main__":
    main()
