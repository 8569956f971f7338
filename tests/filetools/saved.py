"""A Saver checkpoint with a tensor of each kind."""

import numpy as np

from tests.checkpoints.bundles import Value
from tests.filetools.differing import drawn

SAVED: dict[str, Value] = {
    "conv/kernel": drawn(3, 3),
    "conv/kernel/Adam": drawn(3, 3),
    "conv/kernel/Adam_1": drawn(3, 3),
    "conv/kernel/ExponentialMovingAverage": drawn(3, 3),
    "bn/gamma": drawn(3),
    "bn/gamma/Adam": drawn(3),
    "bn/beta": drawn(3),
    "bn/beta/Adam": drawn(3),
    "bn/moving_mean": drawn(3),
    "bn/moving_variance": drawn(3),
    "bn/moments/Squeeze/ExponentialMovingAverage": drawn(3),
    "beta1_power": np.float32(0.5) * np.ones((), "float32"),
    "global_step": np.array(110),
    "learning_rate": np.ones((), "float32"),
    "layer_10/kernel": drawn(2),
    "layer_9/kernel": drawn(2),
    "table": [b"a", b"b"],
}
