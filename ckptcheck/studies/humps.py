"""Find humps: rises of the validation loss from which it returns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Epochs in a centred mean, which smooths noise between epochs. A single epoch above about 3.5 times
# the minimum still makes a hump, which begins up to 2 epochs early and is up to 4 epochs too long.
WINDOW = 5
RISE = 0.5  # a hump rises above this share of the running minimum
END = RISE / 2  # and ends below this share, so that noise at the threshold does not split it

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Hump:
    """A rise of the smoothed validation loss above its running minimum.

    Attributes:
        start: first epoch whose rise is above `RISE`, counted from 1; the middle of its window.
        length: number of epochs until the rise is below `END` again.
        size: the largest rise as a share of the running minimum; 0.5 is half again as high.
        returned: False if training ended before the loss returned; such a rise is no hump.
    """

    start: int
    length: int
    size: float
    returned: bool


def smoothed(losses: Sequence[float]) -> Floats:
    """Return the mean of each whole window of `WINDOW` epochs; the ends of the run have none."""
    values = np.asarray(losses, np.float64)
    if len(values) < WINDOW:
        return np.empty(0)
    means: Floats = np.lib.stride_tricks.sliding_window_view(values, WINDOW).mean(axis=1)
    return means


def rises_of(losses: Sequence[float]) -> Floats:
    """Return the rise of the smoothed loss above its running minimum, as a share of that minimum.

    Losses must be finite and not negative. Above a minimum of 0, the rise is infinite.
    """
    values = smoothed(losses)
    lowest = np.minimum.accumulate(values)
    above = values - lowest
    return np.divide(above, lowest, out=np.where(above > 0, np.inf, 0.0), where=lowest > 0)


def humps_of(losses: Sequence[float]) -> list[Hump]:
    """Return the rises above `RISE` of a validation loss by epoch, in order."""
    humps: list[Hump] = []
    rises, at = rises_of(losses), 0
    while at < len(rises):
        if rises[at] > RISE:
            length = next((n for n, rise in enumerate(rises[at:]) if rise < END), len(rises) - at)
            humps.append(
                Hump(
                    start=at + 1 + WINDOW // 2,
                    length=length,
                    size=float(rises[at : at + length].max()),
                    returned=at + length < len(rises),
                )
            )
            at += length
        else:
            at += 1
    return humps
