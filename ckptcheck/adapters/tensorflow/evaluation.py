"""Evaluate a Keras model in the middle of `fit`, without a trace."""

from typing import Any

import numpy as np


def evaluation_loss(model: Any, data: Any) -> float:
    """Return the loss of `model.evaluate`. The metrics of the epoch in progress keep their values.

    Args:
        model: a compiled Keras model.
        data: a dataset, or a pair (x, y).
    """
    kept = [
        (variable, np.array(variable)) for metric in model.metrics for variable in metric.variables
    ]
    arguments = data if isinstance(data, tuple | list) else (data,)
    scores = model.evaluate(*arguments[:2], verbose=0, return_dict=True)
    model.reset_metrics()  # also the metrics that this evaluation created
    for variable, value in kept:
        variable.assign(value)
    return float(scores["loss"])
