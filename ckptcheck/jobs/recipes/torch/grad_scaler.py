"""Mixed precision: the GradScaler has a state of its own."""

import sys
from pathlib import Path

import torch
from torch import nn


def save(path, step, model, optimizer, scaler, fixed):
    saved = {"step": step, "model": model.state_dict()}
    saved["optimizer"] = optimizer.state_dict()
    if fixed:
        saved["scaler"] = scaler.state_dict()
    torch.save(saved, path)


def load(path, model, optimizer, scaler, fixed):
    saved = torch.load(path)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    if fixed:
        scaler.load_state_dict(saved["scaler"])
    return saved["step"]


def main(folder, fixed):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=3)
    path = folder / "last.pt"
    step = load(path, model, optimizer, scaler, fixed) if path.exists() else 0
    while step < 18:
        inputs = torch.randn(8, 8, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = nn.functional.mse_loss(model(inputs), inputs)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        step += 1
        if step % 4 == 0:
            save(path, step, model, optimizer, scaler, fixed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
