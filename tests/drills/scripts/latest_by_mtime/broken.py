"""Resumes from the file modified last, be it a half-written one."""

import argparse
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run_folder", type=Path)
    folder = parser.parse_args().run_folder
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(8)
    model = nn.Sequential(nn.Linear(64, 8192), nn.BatchNorm1d(8192), nn.GELU(), nn.Linear(8192, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    start = 0
    checkpoints = list(folder.glob("ckpt-*.pt"))
    if checkpoints:
        newest = max(checkpoints, key=lambda path: path.stat().st_mtime)
        state = torch.load(newest)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        start = state["step"]
    for step in range(start + 1, STEPS + 1):
        loss = train_step(model, optimizer, step)
        print(f"step {step} loss {loss:.9g}", flush=True)
        if step % SAVE_EVERY == 0:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
            torch.save(state, folder / f"ckpt-{step:05d}.pt")


if __name__ == "__main__":
    main()
