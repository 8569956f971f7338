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
    rows = [
        _words(array.reshape(count, -1))
        for array in arrays
        if array.ndim and len(array) == count and array.size and array.dtype.itemsize
    ]
    words = np.empty((count, sum(each.shape[1] for each in rows)), np.uint64)
    start = 0
    for each in rows:
        words[:, start : start + each.shape[1]] = each
        start += each.shape[1]
    # Multiply-shift hashing: each bit of a word reaches the upper half of the sum.
    summed = (words @ _factors(words.shape[1])) >> np.uint64(32)
    return summed.astype(">u4").tobytes().hex()


def split(text: str) -> tuple[str, ...]:
    """Return the single fingerprints of a result of `fingerprints`."""
    return tuple(text[start : start + WIDTH] for start in range(0, len(text), WIDTH))


@lru_cache(maxsize=64)
def _factors(count: int) -> Array:
    """Return random odd factors, 64 bits each, one for each word of an example."""
    drawn: Array = np.random.default_rng(2).integers(0, 2**64, count, dtype=np.uint64)
    return drawn | np.uint64(1)


def _words(rows: Array) -> Array:
    """Return a sample of each row as words of at most 32 bits."""
    sample = rows[:, :: -(-rows.shape[1] // ELEMENTS)]
    width = sample.dtype.itemsize
    if width in (1, 2, 4):
        return sample.view(f"u{width}")
    unit = 4 if width % 4 == 0 else 1
    return np.ascontiguousarray(sample).view(f"u{unit}")[:, : 16 * ELEMENTS]
