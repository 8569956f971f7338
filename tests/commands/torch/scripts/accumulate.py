"""Gradients of four batches make an update; a save every few updates, in mid-epoch."""

import argparse
import json
import os
from itertools import islice

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from safetensors.torch import load_file, save_file

ACCUMULATE = 4


class Sequences(Dataset):
    """Sums of sequences, made as they are asked for."""

    def __len__(self):
        return 96

    def __getitem__(self, i):
        g = torch.Generator().manual_seed(i)
        x = torch.randn(5, 3, generator=g)
        return x, x.sum(dim=(0, 1))


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(3, 8, batch_first=True)
        self.head = nn.Linear(8, 1)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1]).squeeze(-1)


def checkpoint_dirs(out):
    return sorted(d for d in os.listdir(out) if d.startswith("update-"))


def save(out, model, optimizer, update, epoch, batch):
    folder = os.path.join(out, f"update-{update:04d}")
    os.makedirs(folder, exist_ok=True)
    save_file(model.state_dict(), os.path.join(folder, "model.safetensors"))
    torch.save(optimizer.state_dict(), os.path.join(folder, "optimizer.pt"))
    with open(os.path.join(folder, "progress.json"), "w") as f:
        json.dump({"update": update, "epoch": epoch, "batch": batch}, f)


def load(out, model, optimizer):
    folder = os.path.join(out, checkpoint_dirs(out)[-1])
    model.load_state_dict(load_file(os.path.join(folder, "model.safetensors")))
    optimizer.load_state_dict(torch.load(os.path.join(folder, "optimizer.pt")))
    with open(os.path.join(folder, "progress.json")) as f:
        progress = json.load(f)
    return progress["update"], progress["epoch"], progress["batch"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--updates", type=int, default=15)
    parser.add_argument("--no-skip", action="store_true",
                        help="do not skip the batches that were read before the save")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    torch.manual_seed(7)
    model = Regressor()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    order = torch.Generator()
    loader = DataLoader(Sequences(), batch_size=4, shuffle=True, generator=order)

    update = epoch = first = 0
    if checkpoint_dirs(args.out):
        update, epoch, first = load(args.out, model, optimizer)
    while update < args.updates:
        order.manual_seed(epoch)
        batches = islice(enumerate(loader), 0 if args.no_skip else first, None)
        for i, (x, y) in batches:
            loss = nn.functional.huber_loss(model(x), y) / ACCUMULATE
            loss.backward()
            if (i + 1) % ACCUMULATE == 0:
                optimizer.step()
                optimizer.zero_grad()
                update += 1
                if update % 2 == 0:
                    save(args.out, model, optimizer, update, epoch, i + 1)
                if update == args.updates:
                    break
        print(f"epoch {epoch}, update {update}, loss {loss.item() * ACCUMULATE:.4f}")
        epoch, first = epoch + 1, 0


if __name__ == "__main__":
    main()
