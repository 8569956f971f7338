"""Accelerate: save_state at the end of each epoch, with a sampler that is seeded by the epoch."""

import argparse
import os

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration, ProjectConfiguration, set_seed
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--no-set-epoch", action="store_true")
    args = parser.parse_args()

    accelerator = Accelerator(
        cpu=True,
        project_config=ProjectConfiguration(args.out),
        dataloader_config=DataLoaderConfiguration(use_seedable_sampler=True),
    )
    set_seed(21)
    x = torch.randn(80, 6)
    y = x.abs().sum(1, keepdim=True)
    loader = DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True)
    model = nn.Sequential(nn.Linear(6, 16), nn.Dropout(0.1), nn.GELU(), nn.Linear(16, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=args.epochs * 10)
    model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, loader, scheduler)

    first = 0
    saved = sorted(d for d in os.listdir(args.out) if d.startswith("epoch_")) \
        if os.path.isdir(args.out) else []
    if saved:
        accelerator.load_state(os.path.join(args.out, saved[-1]))
        first = int(saved[-1].removeprefix("epoch_")) + 1

    for epoch in range(first, args.epochs):
        model.train()
        if not args.no_set_epoch:
            loader.set_epoch(epoch)
        for inputs, targets in loader:
            with accelerator.accumulate(model):
                loss = nn.functional.mse_loss(model(inputs), targets)
                accelerator.backward(loss)
                accelerator.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
        accelerator.print(f"epoch {epoch}: {loss.item():.4f}")
        accelerator.save_state(os.path.join(args.out, f"epoch_{epoch}"))


if __name__ == "__main__":
    main()
