"""Made-up scoring data."""

import numpy as np


def load(config, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(config["examples"], config["features"])).astype(np.float32)
    y = np.tanh(x[:, :3].sum(axis=1)) + 0.2 * x[:, 3] * x[:, 4]
    return x, y.astype(np.float32)[:, None]


def batches(x, y, batch_size, seed, epoch):
    order = np.random.default_rng([seed, epoch]).permutation(len(x))
    for start in range(0, len(x) - batch_size + 1, batch_size):
        rows = order[start : start + batch_size]
        yield x[rows], y[rows]
