"""load_state restores the generators before iter(loader) draws from them."""

import sys
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration, set_seed
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def batches(accelerator, loader, done, generator, fixed):
    """Yield what is left of an epoch; iter() draws a seed for workers that there are not."""
    left = iter(accelerator.skip_first_batches(loader, done))
    first = next(left)
    if fixed and generator is not None:
        torch.set_rng_state(generator)
    yield first
    yield from left


def main(folder, fixed):
    set_seed(0)
    accelerator = Accelerator(
        cpu=True, dataloader_config=DataLoaderConfiguration(use_seedable_sampler=True)
    )
    x = torch.randn(40, 8)
    data = TensorDataset(x, x[:, :1] * x[:, 1:2])
    loader = DataLoader(data, batch_size=8, shuffle=True)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    step, length, generator = 0, len(loader), None
    saved = sorted(folder.glob("step-*"))
    if saved:
        accelerator.load_state(saved[-1])
        generator = torch.get_rng_state()
        step = int(saved[-1].name.removeprefix("step-"))
    while step < 4 * length:
        loader.set_epoch(step // length)
        for inputs, targets in batches(accelerator, loader, step % length, generator, fixed):
            optimizer.zero_grad()
            accelerator.backward(nn.functional.mse_loss(model(inputs), targets))
            optimizer.step()
            step += 1
            if step % 3 == 0:
                accelerator.save_state(folder / f"step-{step:02}")
        generator = None


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
