"""The kinds of state: the role of a tensor in training, and how its name shows it."""

import re
from enum import Enum


class Kind(str, Enum):
    """The role of a state tensor in training.

    Attributes:
        WEIGHT: A trained variable.
        MOVING_STATISTIC: A moving mean or variance of batch norm.
        SHADOW: A moving average (EMA) of a weight.
        SLOT: Optimizer state, such as momentum.
        COUNTER: A step count.
        RNG: The state of a random generator.
        ACCUMULATOR: A sum of gradients over several steps.
        METRIC: A metric that an epoch reports; training does not read it.
        HYPERPARAMETER: A number set by the program, a schedule or a callback, such as the
            learning rate.
        LOSS_SCALE: The loss scale of mixed-precision training, or its count of finite steps.
        PYTHON: An attribute of a Python object outside any variable, such as of a callback.
        OTHER: Anything else.
    """

    WEIGHT = "weight"
    MOVING_STATISTIC = "moving statistic"
    SHADOW = "shadow"
    SLOT = "slot"
    COUNTER = "counter"
    RNG = "rng"
    ACCUMULATOR = "accumulator"
    METRIC = "metric"
    HYPERPARAMETER = "hyperparameter"
    LOSS_SCALE = "loss scale"
    PYTHON = "python attribute"
    OTHER = "other"


_NUMBER = re.compile(r"_\d+$")
_COUNTER = re.compile(r"_?((global_|local_)?step|save_counter|iterations?|epoch)")
_STATISTIC = re.compile(r"(moving|running)_?(mean|var|variance|std|stddev)", re.IGNORECASE)
_WORD = re.compile(r"[a-z]+", re.IGNORECASE)
_AVERAGES = {"ema", "average", "averages", "averaged", "shadow", "shadows", "polyak", "swa"}
_GRADIENTS = {"grad", "grads", "gradient", "gradients"}
_SUMS = {"acc", "accum", "accumulator", "accumulators", "accumulated", "sum", "sums", "buffer"}


def by_name(name: str, letter: str, is_single: bool, is_trained: bool | None = None) -> Kind:
    """Return the kind of a tensor by its name, above all the last part, and what else is known.

    Args:
        name: The name; slashes separate its parts.
        letter: NumPy's letter for the kind of its elements, such as `f` or `i`; empty for elements
            without a fixed size, such as text.
        is_single: Whether it holds a single value.
        is_trained: Whether a live variable is trained; None for a tensor in a file, which does not
            show it.
    """
    # Libraries append numbers to keep names unique.
    last = _NUMBER.sub("", _last(name))
    if is_moving_statistic(last):
        return Kind.MOVING_STATISTIC
    if (
        last == "StateVar"
        or "seed_generator" in name
        or (is_trained is None and "_state_var" in name)
    ):
        return Kind.RNG
    if not letter:
        return Kind.OTHER
    if is_single and (letter in ("i", "u") or (not is_trained and _COUNTER.fullmatch(last))):
        return Kind.COUNTER
    if is_trained is None:
        return _in_file(last, letter, is_single)
    # TensorFlow counts any variable as trained unless told otherwise.
    return Kind.OTHER if letter in ("i", "u", "b") else _live(name, last, is_trained)


def is_moving_statistic(name: str) -> bool:
    """Return whether a tensor of that name is a moving mean or variance of batch norm."""
    return bool(_STATISTIC.fullmatch(_last(name)))


def names_averages(name: str) -> bool:
    """Return whether a name says that something is an average of weights."""
    return bool(_words(name) & _AVERAGES)


def _live(name: str, last: str, is_trained: bool) -> Kind:
    words = _words(last if is_trained else name)
    if words & _AVERAGES or "ExponentialMovingAverage" in name:
        return Kind.SHADOW
    if words & _GRADIENTS and words & _SUMS:
        return Kind.ACCUMULATOR
    return Kind.WEIGHT if is_trained else Kind.OTHER


def _in_file(last: str, letter: str, is_single: bool) -> Kind:
    if is_single and last == "learning_rate":
        return Kind.HYPERPARAMETER
    if _words(last) & _AVERAGES:
        return Kind.SHADOW
    return Kind.OTHER if letter in ("i", "u", "b") else Kind.WEIGHT


def _words(name: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(name)}


def _last(name: str) -> str:
    return name.rpartition("/")[2]
