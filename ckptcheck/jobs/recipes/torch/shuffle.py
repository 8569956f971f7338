"""Shuffled batches and dropout, saved after each epoch: model, optimizer, scheduler, epoch."""

import sys
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def save(path, epoch, fixed, **parts):
    saved = {name: part.state_dict() for name, part in parts.items()}
    if fixed:
        saved["generator"] = torch.get_rng_state()
    torch.save({"epoch": epoch, **saved}, path)


def load(path, fixed, **parts):
    saved = torch.load(path)
    for name, part in parts.items():
        part.load_state_dict(saved[name])
    if fixed:
        torch.set_rng_state(saved["generator"])
    return saved["epoch"]


def main(folder, fixed):
    torch.manual_seed(0)
    x = torch.randn(40, 8)
    loader = DataLoader(TensorDataset(x, x[:, :1] * x[:, 1:2]), batch_size=8, shuffle=True)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    path = folder / "last.pt"
    epoch = load(path, fixed, **parts) if path.exists() else 0
    while epoch < 4:
        for inputs, targets in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(inputs), targets).backward()
            optimizer.step()
        scheduler.step()
        epoch += 1
        save(path, epoch, fixed, **parts)


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
