"""The kind of a leaf, by its path in the tree: the names are those of Optax and Flax."""

from math import prod

from ckptcheck import kinds
from ckptcheck.kinds import Kind

_OPTIMIZER = {"opt_state", "optimizer", "optimizer_state", "opt"}
_COUNTS = {"count", "mini_step", "gradient_step", "step"}
_STATISTICS = {"batch_stats", "batch_statistics"}
_OF_NNX = {"mean", "var"}  # of its batch norm: each variable of NNX ends with `value`
_RANDOM = {
    *("rng", "rngs", "key", "rng_key", "prng_key", "prng", "dropout_rng"),
    *("jax_random_key", "np_random_key"),  # the items of Orbax's handlers
}
_WORD = 4  # bytes of an element of a random key


def of_leaf(path: str, letter: str, itemsize: int, shape: tuple[int, ...]) -> Kind:
    """Return the kind of a leaf.

    Args:
        path: its path.
        letter: NumPy's letter for the kind of its elements; empty for text.
        itemsize: the bytes of an element.
        shape: its shape.
    """
    parts = path.lower().split("/")
    is_random = letter == "u" and itemsize == _WORD and prod(shape) > 1
    if is_random and _RANDOM.intersection(parts):
        return Kind.RNG
    if letter and _OPTIMIZER.intersection(parts[:-1]):
        return _of_optimizer(path, parts, letter, shape)
    is_of_nnx = parts[-1] == "value" and bool(_OF_NNX.intersection(parts[-2:-1]))
    if letter and (is_of_nnx or _STATISTICS.intersection(parts[:-1])):
        return Kind.MOVING_STATISTIC
    if letter == "i" and not shape and parts[-1] == "count":
        return Kind.COUNTER
    if letter not in ("", "i", "u", "b") and any(map(kinds.names_averages, parts[:-1])):
        return Kind.SHADOW
    return kinds.by_name(path, letter, not shape)


def _of_optimizer(path: str, parts: list[str], letter: str, shape: tuple[int, ...]) -> Kind:
    if not shape and (letter in ("i", "u") or parts[-1] in _COUNTS):
        return Kind.COUNTER
    if not shape and parts[-1] == "learning_rate":
        return Kind.HYPERPARAMETER
    return Kind.OTHER if letter == "b" else Kind.SLOT
