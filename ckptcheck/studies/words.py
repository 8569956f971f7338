"""How numbers of a study are written, wherever they are written."""

import math

from ckptcheck.studies.result import Spread


def epochs(value: float) -> str:
    """Write a number of epochs; infinity is one that was never reached."""
    return "∞" if math.isinf(value) else f"{value:.0f}"


def percent(value: float) -> str:
    """Write a share: 0.9917 is 99.2 %. The unit is left to the reader's place."""
    return "100" if value == 1 else f"{100 * value:.1f}"


def share(value: float) -> str:
    """Write a rise: 0.583 is 58 %. The unit is left to the reader's place."""
    return "∞" if math.isinf(value) else f"{100 * value:.0f}"


def loss(value: float) -> str:
    """Write a loss with three digits."""
    return f"{value:.3g}"


WRITERS = {"final_validation_accuracy": percent, "final_validation_loss": loss, "largest_rise": share}


def number(value: float, measure: str) -> str:
    """Write one value of a measure."""
    return "NaN" if math.isnan(value) else WRITERS.get(measure, epochs)(value)


def spread(found: Spread, measure: str) -> str:
    """Write median and range: `10 (9–11)`; only the median where there is no range."""
    median, low, high = (number(value, measure) for value in (found.median, found.low, found.high))
    return median if low == high else f"{median} ({low}–{high})"
