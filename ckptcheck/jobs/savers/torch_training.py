"""A network of PyTorch that trains a step at a time, and its state as arrays by name."""

import torch
from torch import nn


class Training:
    """A new network with its optimizer; its weights are different each time."""

    def __init__(self):
        self.model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
        self.optimizer = torch.optim.Adam(self.model.parameters())
        self.step = 0

    def train(self):
        """Make a step."""
        inputs = torch.randn(16, 8)
        self.optimizer.zero_grad()
        nn.functional.mse_loss(self.model(inputs), inputs[:, :1]).backward()
        self.optimizer.step()
        self.step += 1

    def state_dict(self):
        """Return what a checkpoint holds."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
        }

    def load_state_dict(self, saved):
        """Take what a checkpoint holds."""
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step = saved["step"]

    def state(self):
        """Return the state as arrays by name."""
        return state_of(self.model, self.optimizer, self.step)


def state_of(model, optimizer, step):
    """Return weights, optimizer state and step as arrays by name."""
    found = {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}
    for number, slots in optimizer.state_dict()["state"].items():
        for name, value in slots.items():
            found[f"optimizer.{number}.{name}"] = torch.as_tensor(value).cpu().numpy()
    return {**found, "step": step}


def train_and_save(save):
    """Return a function that trains in a folder, and saves after each of two steps."""

    def run(folder, saved):
        training = Training()
        for _ in range(2):
            training.train()
            save(training, folder)
            saved(training.state())

    return run
