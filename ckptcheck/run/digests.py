"""Digests of arrays and snapshots, and fingerprints of the examples of a batch.

The digest of all bytes shows whether two batches are equal. The fingerprints show which examples
were skipped or repeated, in whichever batch they appear.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import xxhash

from ckptcheck.arrays import Array
from ckptcheck.job.protocol import Tensor

# Elements per example that a fingerprint covers, evenly spread, so that its cost stays negligible.
ELEMENTS = 64
MOST_EXAMPLES = 4096
WIDTH = 8  # hexadecimal digits of a fingerprint

_FACTORS = np.random.default_rng(2).integers(0, 2**31, 16 * ELEMENTS, dtype=np.uint32) * np.uint32(
    2
) + np.uint32(1)


def digest(*arrays: Array) -> str:
    """Return the XXH3 hash (128 bits, in hexadecimal) of dtype, shape and bytes of the arrays.

    It detects accidental differences at negligible cost; it does not resist forgery.
    """
    summed = xxhash.xxh3_128()
    for array in arrays:
        summed.update(_header(array.dtype, array.shape))
        # Hash in place where possible: types of ml_dtypes, of kind V, offer no buffer.
        is_plain = array.flags.c_contiguous and array.dtype.kind in "biufc"
        summed.update(
            array.data if is_plain else np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        )
    return summed.hexdigest()


@lru_cache(maxsize=256)
def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    return f"{dtype.str}{shape}".encode()


def snapshot_digest(state: Mapping[str, Tensor]) -> str:
    """Return one digest of a whole snapshot, names included, in any order."""
    summed = xxhash.xxh3_128()
    for name in sorted(state):
        summed.update(f"{name} {digest(state[name].value)}\n".encode())
    return summed.hexdigest()


def fingerprints(arrays: Sequence[Array]) -> str:
    """Return the concatenated fingerprints of the examples, each 32 bits in hexadecimal.

    The first axis of the first array counts the examples; further arrays of that length belong to
    them. Empty for a batch without examples, or with more than `MOST_EXAMPLES`.
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
    """Return the single fingerprints of a result of `fingerprints`."""
    return tuple(text[start : start + WIDTH] for start in range(0, len(text), WIDTH))


def _words(rows: Array) -> Array:
    """Return a sample of each row as words of 32 bits."""
    stride = -(-rows.shape[1] // ELEMENTS)
    raw = np.ascontiguousarray(rows[:, ::stride])
    if raw.dtype.itemsize % 4 == 0:
        return raw.view(np.uint32)[:, : len(_FACTORS)]
    if raw.dtype.itemsize == 2:
        return raw.view(np.uint16).astype(np.uint32)
    return raw.view(np.uint8).astype(np.uint32)[:, : len(_FACTORS)]
