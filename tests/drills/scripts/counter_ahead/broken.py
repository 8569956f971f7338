"""Counts its steps in a file that stays open, before a save that may fail without notice."""

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


def save(state, step, path, counter):
    counter.seek(0)
    counter.write(f"{step:8d}".encode())
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError):
        pass


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(64, 1024), nn.BatchNorm1d(1024), nn.Tanh(), nn.Linear(1024, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    checkpoint = folder / "checkpoint.pt"
    counted = folder / "step.txt"
    start = 0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        start = int(counted.read_text())
    with counted.open("wb", buffering=0) as counter:
        counter.write(f"{start:8d}".encode())
        for step in range(start + 1, STEPS + 1):
            loss = train_step(model, optimizer, step)
            print(f"step {step} loss {loss:.9g}", flush=True)
            if step % SAVE_EVERY == 0:
                state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
                save(state, step, checkpoint, counter)


if __name__ == "__main__":
    main()
