"""Evaluate a Keras model in the middle of `fit`, without a trace."""

from typing import Any

import numpy as np


def evaluation_loss(model: Any, data: Any, **how: Any) -> float:
    """Return the loss of `model.evaluate`. The metrics of the epoch in progress keep their values.

    Args:
        model: a compiled Keras model.
        data: a dataset, or a pair (x, y), or x, y and the weights of the examples.
        how: further arguments of `model.evaluate`: `batch_size`, `steps`.
    """
    kept = [
        (variable, np.array(variable)) for metric in model.metrics for variable in metric.variables
    ]
    arguments = data if isinstance(data, tuple | list) else (data,)
    named = dict(zip(("x", "y", "sample_weight"), arguments, strict=False))
    scores = model.evaluate(**named, **how, verbose=0, return_dict=True)
    model.reset_metrics()  # also the metrics that this evaluation created
    for variable, value in kept:
        variable.assign(value)
    return float(scores["loss"])
