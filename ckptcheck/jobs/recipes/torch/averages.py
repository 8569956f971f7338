"""Moving averages of the weights, for evaluation: an AveragedModel beside the model."""

import sys
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def save(path, step, model, averaged, optimizer, fixed):
    saved = {"step": step, "model": model.state_dict()}
    saved["optimizer"] = optimizer.state_dict()
    if fixed:
        saved["averaged"] = averaged.state_dict()
    torch.save(saved, path)


def load(path, model, averaged, optimizer, fixed):
    saved = torch.load(path)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    if fixed:
        averaged.load_state_dict(saved["averaged"])
    return saved["step"]


def main(folder, fixed):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    path = folder / "last.pt"
    step = load(path, model, averaged, optimizer, fixed) if path.exists() else 0
    while step < 18:
        inputs = torch.randn(8, 8, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        nn.functional.mse_loss(model(inputs), inputs).backward()
        optimizer.step()
        averaged.update_parameters(model)
        step += 1
        if step % 4 == 0:
            save(path, step, model, averaged, optimizer, fixed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
