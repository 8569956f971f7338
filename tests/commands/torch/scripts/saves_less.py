"""Train with dropout. Each option is a way in which a resumed run saves less than it restored."""

import argparse
import os

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("out")
parser.add_argument("--keeps-old-generator", action="store_true")
parser.add_argument("--counts-from-the-resume", action="store_true")
parser.add_argument("--numbers-from-the-resume", action="store_true")
parser.add_argument("--saves-no-more", action="store_true")
parser.add_argument("--saves-elsewhere", action="store_true")


def newest(folder):
    paths = [os.path.join(folder, name) for name in os.listdir(folder)]
    return max(paths, key=lambda path: int(path.rpartition("-")[2].partition(".")[0]), default=None)


def main():
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x = torch.randn(64, 8)
    y = x[:, :1] * x[:, 1:2]
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 1))
    optimizer = torch.optim.AdamW(model.parameters())
    os.makedirs(args.out, exist_ok=True)
    path, checkpoint, done, saves = newest(args.out), {}, 0, 0
    if path is not None:
        checkpoint = torch.load(path)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        torch.set_rng_state(checkpoint["generator"])
        done = checkpoint["done"]
    first = done

    def save(number):
        generator = torch.get_rng_state()
        if args.keeps_old_generator and checkpoint:
            generator = checkpoint["generator"]
        content = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        made = done - first if args.counts_from_the_resume else done
        content |= {"generator": generator, "done": made}
        torch.save(content, os.path.join(args.out, f"step-{number}.pt"))

    while done < 32:
        start = done % 8 * 8
        inputs, targets = x[start : start + 8], y[start : start + 8]
        loss = nn.functional.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        done += 1
        is_due = done % 8 == 0
        if checkpoint and args.saves_elsewhere:
            is_due = (done - first) % 5 == 0
        if is_due and not (checkpoint and args.saves_no_more):
            saves += 1
            save(saves if args.numbers_from_the_resume else done)


main()
