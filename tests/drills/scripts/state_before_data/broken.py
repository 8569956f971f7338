"""Names the new checkpoint in latest.txt too early: a kill in between leaves the name alone."""

import argparse
import os
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


def write_safely(path, write):
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def save(state, folder):
    name = f"ckpt-{state['step']:05d}.pt"
    write_safely(folder / "latest.txt", lambda file: file.write(name.encode()))
    write_safely(folder / name, lambda file: torch.save(state, file))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run_folder", type=Path)
    folder = parser.parse_args().run_folder
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(64, 8192), nn.BatchNorm1d(8192), nn.GELU(), nn.Linear(8192, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=3e-4, momentum=0.9)
    latest = folder / "latest.txt"
    start = 0
    if latest.exists():
        state = torch.load(folder / latest.read_text())
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
