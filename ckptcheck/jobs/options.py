"""The options of the shipped jobs: their names, defaults and checks."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from ckptcheck.job.options import JobOptions, option


def _positive(text: str, end: float = math.inf, what: str = "finite number above 0") -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("must be a number") from None
    if not 0 < value < end:
        raise ValueError(f"must be a {what}")
    return value


def _fraction(text: str) -> float:
    return _positive(text, 1, "number above 0 and below 1")


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**31:
        raise ValueError("must be a whole number from 0 to 2147483647")
    return int(text)


def _count(text: str) -> int:
    value = _whole(text)
    if value < 1:
        raise ValueError("must be a whole number of at least 1")
    return value


def _switch(text: str) -> bool:
    if text.lower() not in ("on", "off", "true", "false"):
        raise ValueError("must be on or off")
    return text.lower() in ("on", "true")


def _one_of(first: str, second: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in (first, second):
            raise ValueError(f"must be {first} or {second}")
        return text

    return parse


def _text(text: str) -> str:
    if not text:
        raise ValueError("must be a name or a path")
    return text


@dataclass(frozen=True)
class Options(JobOptions):
    """Options of every job that trains on images."""

    dataset: str = option(
        "digits", _text, "digits, mnist, fashion_mnist, cifar10, or FILE.npz with arrays x and y"
    )
    seed: int = option(0, _whole, "seed of the initial weights and of the batches")
    batch_size: int = option(32, _count, "images in a training batch")
    learning_rate: float = option(1e-3, _positive, "learning rate of Adam")

    def steps_per_epoch(self) -> int | None:
        """Return the number of whole batches in the training part of the dataset.

        None for a dataset that has to be downloaded.
        """
        # Imports NumPy; listing the options does without.
        from ckptcheck.jobs import datasets

        if self.dataset in datasets.KERAS_NAMES:
            return None
        return datasets.load(self.dataset).steps_per_epoch(self.batch_size)


@dataclass(frozen=True)
class LayersOptions(Options):
    """Options of the job on `tf.layers`, with that API's own default for epsilon.

    Its moving averages have no warm-up. With the article's decay of 0.99, they are still half their
    initial values at the end of a short run, and a trained network evaluates like an untrained one.
    """

    decay: float = option(0.9, _fraction, "decay of the moving averages")
    epsilon: float = option(1e-3, _positive, "added to the variance before the square root")


@dataclass(frozen=True)
class EmaOptions(Options):
    """Options of the jobs whose moving averages are an `ExponentialMovingAverage`."""

    decay: float = option(0.99, _fraction, "decay of the moving averages")
    epsilon: float = option(1e-5, _positive, "added to the variance before the square root")
    num_updates: bool = option(
        True,
        _switch,
        "on: the decay starts low, min(decay, (1 + step) / (10 + step)); off: constant",
    )
    update: str = option(
        "separate",
        _one_of("separate", "fused"),
        "separate: update the moving averages in a separate session.run, as in the article; "
        "fused: in control dependencies of the train op",
    )
    start: str = option(
        "zero",
        _one_of("zero", "unit"),
        "zero: moving variances start at 0, as an EMA of a tensor does; unit: at 1",
    )


@dataclass(frozen=True)
class TorchOptions(Options):
    """Options of the job on PyTorch, with PyTorch's own defaults for batch norm."""

    decay: float = option(0.9, _fraction, "decay of the moving means and variances: 1 - momentum")
    epsilon: float = option(1e-5, _positive, "added to the variance before the square root")
    average: float = option(0.9, _fraction, "decay of the average of the weights")


@dataclass(frozen=True)
class RecipeOptions(JobOptions):
    """Options of every recipe."""

    seed: int = option(0, _whole, "seed of the initial weights")
