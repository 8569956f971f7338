"""Moving statistics that lag behind the batches: the control itself evaluates badly with them."""

from dataclasses import dataclass

import numpy as np

from ckptcheck.arrays import as_float, is_inexact
from ckptcheck.comparison.comparison import Comparison, moving_statistics
from ckptcheck.run.run import Run

# An evaluation loss this many times the training losses around it is bad.
TIMES = 2.0
# Statistics that moved to the boundary at some speed still move on at this share of it.
LEAST_SPEED, LEAST_COSINE = 0.25, 0.5


@dataclass(frozen=True)
class Lag:
    """The evaluation loss at the boundary, the largest training loss around it, what lags."""

    evaluation: float
    training: float
    statistics: tuple[str, ...]


def lag(control: Run, comparison: Comparison) -> Lag | None:
    """Return that a restore is right, but the control evaluates badly because statistics lag.

    The resumed run must evaluate as the control does, with equal statistics.
    """
    evaluation, rows = comparison.evaluation, moving_statistics(comparison)
    if evaluation is None or not evaluation.equal or not all(row.equal for row in rows):
        return None
    epoch, place = control.facts.schedule.steps_per_epoch, control.position
    training = max(control.losses[max(0, place - epoch) : place + epoch], default=np.inf)
    lagging = tuple(row.name for row in rows if _lags(row.name, control))
    if not lagging or not evaluation.control_loss > TIMES * abs(training):
        return None
    return Lag(evaluation.control_loss, training, lagging)


def _lags(name: str, control: Run) -> bool:
    """Return whether a statistic moves on after the boundary, in the direction it came from."""
    points = control.initial, control.boundary, control.final
    if any(name not in point for point in points):
        return False
    start, middle, end = (point[name].value for point in points)
    if not is_inexact(middle.dtype) or not start.shape == middle.shape == end.shape:
        return False
    before = (as_float(middle) - as_float(start)).reshape(-1) / max(1, control.position)
    after = (as_float(end) - as_float(middle)).reshape(-1)
    after = after / max(1, len(control.steps) - control.position)
    speed, later = float(np.linalg.norm(before)), float(np.linalg.norm(after))
    return later >= LEAST_SPEED * speed > 0 and float(before @ after) >= (
        LEAST_COSINE * speed * later
    )
