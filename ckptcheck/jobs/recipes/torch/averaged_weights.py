"""Only the averaged weights are kept, batch norm and all: training resumes from them."""

import sys
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def save(path, step, model, averaged, optimizer, fixed):
    kept = model if fixed else averaged.module
    saved = {"step": step, "model": kept.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save({**saved, "averaged": averaged.state_dict()}, path)


def main(folder, fixed):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 8))
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    path, step = folder / "last.pt", 0
    if path.exists():
        saved = torch.load(path)
        model.load_state_dict(saved["model"])
        averaged.load_state_dict(saved["averaged"])
        optimizer.load_state_dict(saved["optimizer"])
        step = saved["step"]
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
