"""The numbers of a study as text, in one notation for all outputs."""

import math

from ckptcheck.counts import counted
from ckptcheck.studies.paired_test import Spread
from ckptcheck.studies.result import Result


def number(value: float, measure: str) -> str:
    """Return a value of a measure as text: `99.2` (accuracy, %), `58` (rise, %), `∞` (never)."""
    if math.isnan(value):
        return "–"
    if measure == "final_validation_accuracy":
        return "100" if value == 1 else f"{100 * value:.1f}"
    if measure == "final_validation_loss":
        return f"{value:.3g}"
    if math.isinf(value):
        return "∞"
    return f"{100 * value:.0f}" if measure == "largest_rise" else f"{value:g}"


def spread(values: Spread, measure: str) -> str:
    """Return median and range as text: `10 (9–11)`; the median alone if all values are equal."""
    median, low, high = (
        number(value, measure) for value in (values.median, values.low, values.high)
    )
    return median if low == high else f"{median} ({low}–{high})"


LABELS = {
    "final_validation_accuracy": "final accuracy, %",
    "final_validation_loss": "final validation loss",
    "largest_rise": "largest rise, %",
}


def label(measure: str) -> str:
    """Return the name of a measure, with its unit."""
    accuracy = measure.removeprefix("epochs_to_")
    return LABELS.get(measure) or f"epochs to {100 * float(accuracy):.4g} %"


def extent(study: Result) -> str:
    """Return dataset and size of a study: `digits, 100 epochs, 5 seeds`."""
    return f"{study.dataset}, {counted(study.epoch_count, 'epoch')}, {counted(study.seeds, 'seed')}"
