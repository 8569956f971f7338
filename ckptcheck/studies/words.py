"""How numbers of a study are written, wherever they are written."""

import math

from ckptcheck.studies.paired_test import Spread
from ckptcheck.studies.result import Result


def epochs(value: float) -> str:
    """Write a number of epochs; infinity is one that was never reached."""
    return "∞" if math.isinf(value) else f"{value:g}"


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
    return "–" if math.isnan(value) else WRITERS.get(measure, epochs)(value)


def spread(values: Spread, measure: str) -> str:
    """Write median and range: `10 (9–11)`; only the median where there is no range."""
    median, low, high = (number(value, measure) for value in (values.median, values.low, values.high))
    return median if low == high else f"{median} ({low}–{high})"


LABELS = {
    "final_validation_accuracy": "final accuracy, %",
    "final_validation_loss": "final validation loss",
    "largest_rise": "largest rise, %",
}


def label(measure: str) -> str:
    """Write the name of a measure, with its unit."""
    accuracy = measure.removeprefix("epochs_to_")
    return LABELS.get(measure) or f"epochs to {100 * float(accuracy):.4g} %"


def counted(count: int, what: str) -> str:
    """Write a number of things: `1 seed`, `5 seeds`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def extent(study: Result) -> str:
    """Write what a study trained on, and how much: `digits, 100 epochs, 5 seeds`."""
    return f"{study.dataset}, {counted(study.epoch_count, 'epoch')}, {counted(study.seeds, 'seed')}"
