"""A StatefulDataLoader with two workers, saved in mid-epoch, and dropout."""

import argparse
import os

import torch
from torch import nn
from torch.utils.data import Dataset
from torchdata.stateful_dataloader import StatefulDataLoader


class Digits(Dataset):
    def __init__(self, n=120):
        g = torch.Generator().manual_seed(0)
        self.images = torch.rand(n, 36, generator=g)
        self.labels = (self.images.mean(1) * 10).long()

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.images[index], self.labels[index]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--no-loader", action="store_true")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)

    torch.manual_seed(11)
    loader = StatefulDataLoader(Digits(), batch_size=10, shuffle=True, num_workers=2)
    model = nn.Sequential(nn.Linear(36, 24), nn.ReLU(), nn.Dropout(0.3), nn.Linear(24, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.1, total_steps=args.epochs * len(loader))

    path = os.path.join(args.out, "state.pt")
    epoch, step, rng = 0, 0, None
    if os.path.exists(path):
        state = torch.load(path, weights_only=False)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
        if not args.no_loader:
            loader.load_state_dict(state["loader"])
        epoch, step, rng = state["epoch"], state["step"], state["rng"]

    while step < args.epochs * 12:
        batches = iter(loader)
        if rng is not None:
            torch.set_rng_state(rng)  # iter() has drawn from it
            rng = None
        for images, labels in batches:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            step += 1
            if step < args.epochs * 12:
                scheduler.step()
            if step % 5 == 0:
                torch.save({
                    "model": model.state_dict(), "optimizer": optimizer.state_dict(),
                    "scheduler": scheduler.state_dict(), "loader": loader.state_dict(),
                    "epoch": epoch, "step": step, "rng": torch.get_rng_state(),
                }, path)
            if step == args.epochs * 12:
                break
        print(f"epoch {epoch} step {step} loss {loss.item():.4f}")
        epoch += 1


if __name__ == "__main__":
    main()
