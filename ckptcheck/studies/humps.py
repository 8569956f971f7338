"""What a hump of a validation loss is: defined here, and nowhere else."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Epochs, centred: noise from one epoch to the next is no hump. A mean, so a single epoch above about 3.5 times the minimum
# still makes one, which then begins up to two epochs early and is up to four too long.
WINDOW = 5
RISE = 0.5  # above the running minimum, as a share of it
END = RISE / 2  # below this it is over: a wiggle at the threshold is not two humps

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Hump:
    """A rise of the smoothed validation loss above its running minimum.

    `start` is the first epoch (from 1; the middle of its window) at which the rise is above `RISE`, `length` the number of
    epochs until it is below `END` again, `size` the largest rise as a share of the running minimum (0.5: half again as
    high). Where the training ended before the loss came back, `returned` is False: that is a rise, and no hump.
    """

    start: int
    length: int
    size: float
    returned: bool


def smoothed(losses: Sequence[float]) -> Floats:
    """Return the moving average over `WINDOW` epochs, one value for each whole window: none for the ends of the run."""
    values = np.asarray(losses, np.float64)
    if len(values) < WINDOW:
        return np.empty(0)
    means: Floats = np.lib.stride_tricks.sliding_window_view(values, WINDOW).mean(axis=1)
    return means


def rises_of(losses: Sequence[float]) -> Floats:
    """Return, for each window, how far the smoothed loss lies above its running minimum, as a share of that minimum.

    The losses are finite and not negative; where the minimum is 0, any loss above it is an infinite rise.
    """
    values = smoothed(losses)
    lowest = np.minimum.accumulate(values)
    above = values - lowest
    return np.divide(above, lowest, out=np.where(above > 0, np.inf, 0.0), where=lowest > 0)


def humps_of(losses: Sequence[float]) -> list[Hump]:
    """Return the rises of a validation loss by epoch that are higher than `RISE`, in order."""
    humps: list[Hump] = []
    above, at = rises_of(losses), 0
    while at < len(above):
        if above[at] > RISE:
            length = next((n for n, rise in enumerate(above[at:]) if rise < END), len(above) - at)
            humps.append(
                Hump(
                    at + 1 + WINDOW // 2,
                    length,
                    float(above[at : at + length].max()),
                    at + length < len(above),
                )
            )
            at += length
        else:
            at += 1
    return humps
