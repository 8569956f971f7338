"""A DataLoader with a generator of its own, which is in no state_dict."""

import sys
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def save(path, epoch, model, optimizer, order, fixed):
    saved = {"epoch": epoch, "model": model.state_dict()}
    saved["optimizer"] = optimizer.state_dict()
    if fixed:
        saved["order"] = order.get_state()
    torch.save(saved, path)


def load(path, model, optimizer, order, fixed):
    saved = torch.load(path)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    if fixed:
        order.set_state(saved["order"])
    return saved["epoch"]


def main(folder, fixed):
    torch.manual_seed(0)
    x = torch.randn(40, 8)
    order = torch.Generator().manual_seed(1)
    data = TensorDataset(x, x[:, :1] * x[:, 1:2])
    loader = DataLoader(data, batch_size=8, shuffle=True, generator=order)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    path = folder / "last.pt"
    epoch = load(path, model, optimizer, order, fixed) if path.exists() else 0
    while epoch < 4:
        for inputs, targets in loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(inputs), targets).backward()
            optimizer.step()
        epoch += 1
        save(path, epoch, model, optimizer, order, fixed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
