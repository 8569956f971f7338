"""torchdata's StatefulDataLoader, saved within an epoch; iter() draws from the global generator."""

import sys
from pathlib import Path

import torch
from torch import nn
from torchdata.stateful_dataloader import StatefulDataLoader


def resumed(loader, generator, fixed):
    """Return the batches of the loader after its state was restored."""
    if not fixed:
        torch.set_rng_state(generator)
    batches = iter(loader)
    if fixed:
        torch.set_rng_state(generator)
    return batches


def main(folder, fixed):
    torch.manual_seed(0)
    data = torch.randn(48, 8)
    loader = StatefulDataLoader(data, batch_size=8, shuffle=True)
    model = nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.2), nn.ReLU(), nn.Linear(16, 8))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    path, step, batches = folder / "last.pt", 0, None
    if path.exists():
        saved = torch.load(path, weights_only=False)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        loader.load_state_dict(saved["loader"])
        step = saved["step"]
        batches = resumed(loader, saved["generator"], fixed)
    while step < 18:
        for inputs in batches or loader:
            optimizer.zero_grad()
            nn.functional.mse_loss(model(inputs), inputs).backward()
            optimizer.step()
            step += 1
            if step % 4 == 0:
                saved = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
                saved |= {"loader": loader.state_dict(), "generator": torch.get_rng_state()}
                torch.save({**saved, "step": step}, path)
        batches = None


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
