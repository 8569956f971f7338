"""skip_first_batches within an epoch: the order is drawn anew from a generator that moved on."""

import sys
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration, set_seed
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def main(folder, fixed):
    set_seed(0)
    accelerator = Accelerator(
        cpu=True, dataloader_config=DataLoaderConfiguration(use_seedable_sampler=fixed)
    )
    x = torch.randn(40, 8)
    data = TensorDataset(x, x[:, :1] * x[:, 1:2])
    loader = DataLoader(data, batch_size=8, shuffle=True)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    step, length = 0, len(loader)
    saved = sorted(folder.glob("step-*"))
    if saved:
        accelerator.load_state(saved[-1])
        step = int(saved[-1].name.removeprefix("step-"))
    while step < 4 * length:
        if fixed:
            loader.set_epoch(step // length)
        for inputs, targets in accelerator.skip_first_batches(loader, step % length):
            optimizer.zero_grad()
            accelerator.backward(nn.functional.mse_loss(model(inputs), targets))
            optimizer.step()
            step += 1
            if step % 3 == 0:
                accelerator.save_state(folder / f"step-{step:02}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
