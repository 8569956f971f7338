"""Goes on with a fresh optimizer when its file, written after the weights, is damaged."""

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


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(7)
    model = nn.Sequential(nn.Linear(64, 8192), nn.BatchNorm1d(8192), nn.Tanh(), nn.Linear(8192, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    start = 0
    if (folder / "model.pt").exists():
        state = torch.load(folder / "model.pt")
        model.load_state_dict(state["model"])
        start = state["step"]
        try:  # noqa: SIM105
            optimizer.load_state_dict(torch.load(folder / "optimizer.pt"))
        except Exception:
            pass
    for step in range(start + 1, STEPS + 1):
        loss = train_step(model, optimizer, step)
        print(f"step {step} loss {loss:.9g}", flush=True)
        if step % SAVE_EVERY == 0:
            save_safely({"model": model.state_dict(), "step": step}, folder / "model.pt")
            torch.save(optimizer.state_dict(), folder / "optimizer.pt")


if __name__ == "__main__":
    main()
