"""`bn-torch`: the article's network in PyTorch, with batch norm and an average of the weights."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ckptcheck.adapters.torch import TorchJob
from ckptcheck.job.protocol import POISON, Restored, Step
from ckptcheck.jobs import datasets
from ckptcheck.jobs.options import TorchOptions

# What each restore loads of a checkpoint that holds everything.
LOADED = {
    "weights": ("model", "step"),
    "averages": ("model", "averaged", "step"),
    "all": ("model", "averaged", "optimizer", "step"),
}


def network(images: torch.Tensor, classes: int, momentum: float, epsilon: float) -> nn.Module:
    """Return three convolutions and two dense layers; all but the last are normalised.

    Args:
        images: (n, c, h, w), to know the shapes from.
        classes: the number of classes.
        momentum: how much of a batch's statistics goes into the moving ones.
        epsilon: added to the variance before the square root.
    """
    layers: list[nn.Module] = []
    channels, height, width = images.shape[1:]
    for index, wider in enumerate((8, 16, 32)):
        layers += [
            nn.Conv2d(channels, wider, 3, padding=1, bias=False),
            nn.BatchNorm2d(wider, epsilon, momentum),
            nn.ReLU(),
        ]
        if index:
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
            height, width = -(-height // 2), -(-width // 2)
        channels = wider
    return nn.Sequential(
        *layers,
        nn.Flatten(),
        nn.Linear(channels * height * width, 64, bias=False),
        nn.BatchNorm1d(64, epsilon, momentum),
        nn.ReLU(),
        nn.Linear(64, classes),
    )


class BatchNormTorch(TorchJob):
    """Batch norm, whose moving mean and variance are buffers, so that `state_dict` has them.

    An `AveragedModel` with `use_buffers` averages weights and moving statistics; it is evaluated.
    """

    restores = tuple(LOADED)

    def __init__(self, options: TorchOptions) -> None:
        self.options = options

    @cached_property
    def data(self) -> datasets.Dataset:
        """The images, read on first use."""
        return datasets.load(self.options.dataset)

    @property
    def steps_per_epoch(self) -> int:  # type: ignore[override]  # a Job needs it read-only
        """Number of whole batches in the training part of the dataset."""
        return self.data.steps_per_epoch(self.options.batch_size)

    def setup(self) -> Mapping[str, Any]:
        """Create the network, its average and the optimizer; return all of it, with the step."""
        torch.set_num_threads(1)  # the network is too small for more, and runs go on side by side
        self.validation = tensors(self.data.validation_images, self.data.validation_labels)
        self.model = network(
            self.validation[0], self.data.classes, 1 - self.options.decay, self.options.epsilon
        )
        average = get_ema_multi_avg_fn(self.options.average)
        self.averaged = AveragedModel(self.model, multi_avg_fn=average, use_buffers=True)
        self.optimizer = torch.optim.Adam(self.model.parameters(), self.options.learning_rate)
        self.step = 0
        return {name: getattr(self, name) for name in LOADED["all"]}

    def train(self, step: int) -> Step:
        """Train on the batch of a step, and update the average."""
        images, labels = tensors(
            *self.data.batch(step, self.options.batch_size, self.options.seed % POISON)
        )
        loss = functional.cross_entropy(self.model(images), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.averaged.update_parameters(self.model)
        self.step += 1
        return Step(loss, batch=[images, labels])

    def evaluate(self) -> torch.Tensor:
        """Return the validation loss of the average."""
        images, labels = self.validation
        with torch.no_grad():
            return functional.cross_entropy(self.averaged.eval()(images), labels)

    def restore(self, folder: Path, restore: str) -> Restored:
        """Load what the restore is named after."""
        return self.load(folder, *LOADED[restore])


def tensors(images: datasets.Array, labels: datasets.Array) -> tuple[torch.Tensor, torch.Tensor]:
    """Return images, (n, h, w, c) → (n, c, h, w), and labels as tensors."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(labels)
