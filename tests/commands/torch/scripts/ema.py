"""Averaged weights by AveragedModel; the network has batch norm; evaluation is of the averages."""

import argparse
import pathlib

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset


def get_args():
    p = argparse.ArgumentParser()
    p.add_argument("--out", type=pathlib.Path, required=True)
    p.add_argument("--epochs", default=5, type=int)
    p.add_argument("--no-averages", action="store_true")
    return p.parse_args()


def evaluate(model, x, y):
    model.eval()
    with torch.no_grad():
        return nn.functional.mse_loss(model(x), y).item()


def train_one_epoch(model, averaged, optimizer, loader):
    model.train()
    for inputs, targets in loader:
        loss = nn.functional.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        averaged.update_parameters(model)


def main():
    args = get_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(3)
    x = torch.randn(96, 6)
    y = x.prod(dim=1, keepdim=True)
    train, test = TensorDataset(x[:64], y[:64]), (x[64:], y[64:])
    g = torch.Generator()
    loader = DataLoader(train, batch_size=8, sampler=RandomSampler(train, generator=g))

    model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1))
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.95), use_buffers=True)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, momentum=0.9)

    last = args.out / "checkpoint.pth"
    first_epoch = 0
    if last.exists():
        ckpt = torch.load(last)
        model.load_state_dict(ckpt["model"])
        optimizer.load_state_dict(ckpt["optimizer"])
        if not args.no_averages:
            averaged.load_state_dict(ckpt["averaged"])
        first_epoch = ckpt["epoch"] + 1

    for epoch in range(first_epoch, args.epochs):
        g.manual_seed(epoch)
        train_one_epoch(model, averaged, optimizer, loader)
        print(f"epoch {epoch}: {evaluate(model, *test):.4f}, "
              f"averaged {evaluate(averaged, *test):.4f}")
        torch.save(
            {
                "model": model.state_dict(),
                "averaged": averaged.state_dict(),
                "optimizer": optimizer.state_dict(),
                "epoch": epoch,
            },
            last,
        )


if __name__ == "__main__":
    main()
