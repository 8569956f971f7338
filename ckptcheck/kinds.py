"""The kinds of state: the part that a tensor plays in training, and what its name tells of it."""

import re
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
    HYPERPARAMETER = (
        "hyperparameter"  # set by the program, and by schedules and callbacks: a learning rate
    )
    LOSS_SCALE = (
        "loss scale"  # of training in mixed precision, and the count of good steps beside it
    )
    PYTHON = "python attribute"  # what an object of the program remembers, such as a callback, outside of any variable
    OTHER = "other"


_NUMBER = re.compile(r"_\d+$")
_COUNTER = re.compile(r"_?((global_|local_)?step|save_counter|iterations?|epoch)")


def by_name(name: str, letter: str, is_single: bool, is_trained: bool | None = None) -> Kind:
    """Return the kind that a tensor's name tells, the last part of it above all, together with what else is known.

    Args:
        name: its parts are separated by slashes.
        letter: NumPy's for the kind of its elements, such as `f` and `i`; empty: they have no fixed size, as text.
        is_single: whether it is a single value.
        is_trained: of a live variable, whether it is trained; None: a file does not tell.
    """
    # What a library numbers to keep names apart is still called what it was: in a file that is all there is to go by.
    last = _last(name) if is_trained is not None else _NUMBER.sub("", _last(name))
    if is_moving_statistic(last):
        return Kind.MOVING_STATISTIC
    if (
        last == "StateVar"
        or "seed_generator" in name
        or (is_trained is None and "_state_var" in name)
    ):
        return Kind.RNG
    is_count = letter in ("i", "u") and is_single
    if is_trained is None:
        return _in_file(last, letter, is_single, is_count)
    if "ExponentialMovingAverage" in name or _is_average(last):
        return Kind.SHADOW
    return Kind.WEIGHT if is_trained else Kind.COUNTER if is_count else Kind.OTHER


def is_moving_statistic(name: str) -> bool:
    """Return whether a name is that of a moving mean or variance of batch norm."""
    return _last(name) in ("moving_mean", "moving_variance")


def _in_file(last: str, letter: str, is_single: bool, is_count: bool) -> Kind:
    if not letter:
        return Kind.OTHER
    if is_count or (is_single and _COUNTER.fullmatch(last)):
        return Kind.COUNTER
    if is_single and last == "learning_rate":
        return Kind.HYPERPARAMETER
    if _is_average(last):
        return Kind.SHADOW
    return Kind.OTHER if letter in ("i", "u", "b") else Kind.WEIGHT


def _is_average(last: str) -> bool:
    return last.startswith(("ema", "average")) or last.endswith(("_ema", "_average"))


def _last(name: str) -> str:
    return name.rpartition("/")[2]
