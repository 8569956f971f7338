"""Fingerprints of the examples of a batch: by them examples that were lost or repeated are seen, wherever they come.

Whether two batches are the same is known by the digest of all their bytes; this is only to say what other ones they are.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# Of each example so many elements are looked at, evenly spread, so that a step takes no part of its time for it.
ELEMENTS = 64
MOST_EXAMPLES = 4096
WIDTH = 8  # hexadecimal digits of a fingerprint

_FACTORS = np.random.default_rng(2).integers(0, 2**31, 16 * ELEMENTS, dtype=np.uint32) * np.uint32(2) + np.uint32(1)


def fingerprints(arrays: Sequence[Array]) -> str:
    """Return a fingerprint of 32 bits for each example, one behind the other in hexadecimal; empty where there are none.

    Examples are what the first axis of the first array counts; further arrays of that length are theirs, too.
    """
    count = len(arrays[0]) if arrays and arrays[0].ndim else 0
    if not 0 < count <= MOST_EXAMPLES:
        return ""
    summed = np.zeros(count, np.uint32)
    for array in arrays:
        if array.ndim and len(array) == count and array.size and array.dtype.itemsize:
            words = _words(array.reshape(count, -1))
            mixed = (words ^ (words >> np.uint32(15))) * _FACTORS[: words.shape[1]]
            summed = summed * np.uint32(31) + mixed.sum(axis=1, dtype=np.uint32)
    return summed.astype(">u4").tobytes().hex()


def split(text: str) -> tuple[str, ...]:
    """Return the fingerprints that `fingerprints` put together."""
    return tuple(text[start : start + WIDTH] for start in range(0, len(text), WIDTH))


def _words(rows: Array) -> Array:
    """Return some of the bytes of each row as words of 32 bits."""
    stride = -(-rows.shape[1] // ELEMENTS)
    raw = np.ascontiguousarray(rows[:, ::stride])
    if raw.dtype.itemsize % 4 == 0:
        return raw.view(np.uint32)[:, : len(_FACTORS)]
    if raw.dtype.itemsize == 2:
        return raw.view(np.uint16).astype(np.uint32)
    return raw.view(np.uint8).astype(np.uint32)[:, : len(_FACTORS)]
