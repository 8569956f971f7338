"""Mixed precision: autocast to bfloat16 and a GradScaler, one file for each save."""

import argparse
import glob
import os

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3)
        self.conv2 = nn.Conv2d(4, 8, 3)
        self.fc = nn.Linear(8 * 4 * 4, 10)

    def forward(self, x):
        x = self.conv1(x).relu()
        x = self.conv2(x).relu()
        return self.fc(x.flatten(1))


def batches(n, step):
    """The n-th batch is the same in every run."""
    g = torch.Generator().manual_seed(step)
    return torch.randn(n, 1, 8, 8, generator=g), torch.randint(10, (n,), generator=g)


def save(folder, step, **things):
    state = {name: thing.state_dict() for name, thing in things.items()}
    tmp = os.path.join(folder, "tmp.pt")
    torch.save({"step": step, **state}, tmp)
    os.replace(tmp, os.path.join(folder, f"step_{step:05d}.pt"))


def main(args):
    os.makedirs(args.out, exist_ok=True)
    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=6)
    step = 0
    found = sorted(glob.glob(os.path.join(args.out, "step_*.pt")))
    if found:
        state = torch.load(found[-1], map_location="cpu")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        if not args.no_scaler:
            scaler.load_state_dict(state["scaler"])
        step = state["step"]

    while step < args.steps:
        x, y = batches(16, step)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        step += 1
        if step % 8 == 0:
            print(step, loss.item(), scaler.get_scale())
            save(args.out, step, model=model, optimizer=optimizer, scaler=scaler)


parser = argparse.ArgumentParser()
parser.add_argument("--out", required=True)
parser.add_argument("--steps", type=int, default=32)
parser.add_argument("--no-scaler", action="store_true")
main(parser.parse_args())
