"""save_model keeps the weights alone; save_state keeps the optimizer and the generators, too."""

import sys
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import load_checkpoint_in_model, set_seed
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def save(accelerator, model, folder, fixed):
    if fixed:
        accelerator.save_state(folder)
    else:
        accelerator.save_model(model, folder)


def load(accelerator, model, folder, fixed):
    if fixed:
        accelerator.load_state(folder)
    else:
        load_checkpoint_in_model(accelerator.unwrap_model(model), folder)


def main(folder, fixed):
    set_seed(0)
    accelerator = Accelerator(cpu=True)
    x = torch.randn(40, 8)
    data = TensorDataset(x, x[:, :1] * x[:, 1:2])
    loader = DataLoader(data, batch_size=8, shuffle=True)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    epoch = len(list(folder.glob("epoch-*")))
    if epoch:
        load(accelerator, model, folder / f"epoch-{epoch}", fixed)
    while epoch < 4:
        for inputs, targets in loader:
            optimizer.zero_grad()
            accelerator.backward(nn.functional.mse_loss(model(inputs), targets))
            optimizer.step()
        epoch += 1
        save(accelerator, model, folder / f"epoch-{epoch}", fixed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
