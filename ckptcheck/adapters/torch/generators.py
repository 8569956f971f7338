"""The states of the generators of Python and NumPy as arrays, the same wherever they are held."""

import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
import xxhash

from ckptcheck.arrays import Array


def of_python(state: Any) -> Array:
    """Return the words of Python's generator, its position, and the number that it keeps."""
    _, words, kept = state
    return np.array([*words, *_bits(kept)], np.uint64)


def of_numpy(state: Any) -> Array:
    """Return the words of NumPy's global generator, its position, and the number that it keeps."""
    if isinstance(state, dict):  # a program may replace the Mersenne Twister
        return of_bit_generator(state)
    _, words, place, has_kept, kept = state
    return np.array([*words, place, *_bits(kept if has_kept else None)], np.uint64)


def of_bit_generator(state: Mapping[str, Any]) -> Array:
    """Return a digest of the state of a `numpy.random.BitGenerator`, whose numbers vary in size."""
    return np.frombuffer(xxhash.xxh3_128_digest(pickle.dumps(state, protocol=4)), np.uint8)


def of_either(state: tuple[Any, ...]) -> Array | None:
    """Return a state of one of both as an array; None: the tuple is not such a state."""
    if len(state) == 3 and isinstance(state[1], tuple):
        return of_python(state)
    is_of_numpy = len(state) == 5 and isinstance(state[1], np.ndarray)
    return of_numpy(state) if is_of_numpy else None


def _bits(kept: float | None) -> tuple[int, int]:
    """Return the bits of the second number of a normal draw, if one is kept."""
    return kept is not None, int(np.float64(kept or 0.0).view(np.uint64))
