"""The kinds of state: the part that a tensor plays in training."""

from enum import Enum


class Kind(str, Enum):
    """The part a state tensor plays in training."""

    WEIGHT = "weight"
    MOVING_STATISTIC = "moving statistic"
    SHADOW = "shadow"
    SLOT = "slot"
    COUNTER = "counter"
    RNG = "rng"
    ACCUMULATOR = "accumulator"
    METRIC = "metric"  # what an epoch reports of itself, not what it trains on
    HYPERPARAMETER = "hyperparameter"  # set by the program, and by schedules and callbacks: a learning rate
    LOSS_SCALE = "loss scale"  # of training in mixed precision, and the count of good steps beside it
    PYTHON = "python attribute"  # what an object of the program remembers, such as a callback, outside of any variable
    OTHER = "other"
