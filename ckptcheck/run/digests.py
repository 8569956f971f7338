"""Digests of arrays and snapshots, by which they are the same or not; and fingerprints of the examples of a batch.

Whether two batches are the same is known by the digest of all their bytes. By the fingerprints of their examples, those that
were lost or repeated are seen, wherever they come.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import xxhash

from ckptcheck.arrays import Array
from ckptcheck.job.protocol import Tensor

# Of each example so many elements are looked at, evenly spread, so that a step takes no part of its time for it.
ELEMENTS = 64
MOST_EXAMPLES = 4096
WIDTH = 8  # hexadecimal digits of a fingerprint

_FACTORS = np.random.default_rng(2).integers(0, 2**31, 16 * ELEMENTS, dtype=np.uint32) * np.uint32(
    2
) + np.uint32(1)


def digest(*arrays: Array) -> str:
    """Return the XXH3 hash (128 bits, in hexadecimal) of dtype, shape and bytes of the arrays.

    It tells what differs by accident, and takes no part of a step that one could measure; nobody is to be kept from forging.
    """
    summed = xxhash.xxh3_128()
    for array in arrays:
        summed.update(_header(array.dtype, array.shape))
        # As it lies in memory, where that can be; ml_dtypes, of kind V, have no buffer of their own.
        is_plain = array.flags.c_contiguous and array.dtype.kind in "biufc"
        summed.update(
            array.data if is_plain else np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        )
    return summed.hexdigest()


@lru_cache(maxsize=256)
def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    return f"{dtype.str}{shape}".encode()


def snapshot_digest(state: Mapping[str, Tensor]) -> str:
    """Return one digest for a whole snapshot, names included, whatever their order."""
    summed = xxhash.xxh3_128()
    for name in sorted(state):
        summed.update(f"{name} {digest(state[name].value)}\n".encode())
    return summed.hexdigest()


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
