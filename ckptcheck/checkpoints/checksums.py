"""CRC32C checksums, as checkpoint files store them."""

from collections.abc import Sequence
from functools import cache, reduce
from operator import xor
from typing import Any

import google_crc32c
import numpy as np

# LevelDB's crc32c.h masks stored checksums, because a CRC of data that contains CRCs is weak.
_MASK = 0xA282EAD8


def masked(checksum: int) -> int:
    """Return a CRC32C in the masked form that files store."""
    return (((checksum >> 15) | (checksum << 17)) + _MASK) & 0xFFFFFFFF


def checksum(data: "bytes | np.ndarray[Any, np.dtype[np.uint8]]", before: int = 0) -> int:
    """Return the CRC32C of `data`, continued from the checksum `before`."""
    return int(google_crc32c.extend(before, data))


@cache
def _shifted(size: int) -> tuple[int, ...]:
    """Return each checksum bit's image after `size` zero bytes: a CRC is linear over its bits."""
    none = google_crc32c.extend(0, b"\0")
    shift = tuple(google_crc32c.extend(1 << bit, b"\0") ^ none for bit in range(32))  # by one byte
    images = tuple(1 << bit for bit in range(32))
    while size:
        if size & 1:
            images = tuple(_sum_of(shift, image) for image in images)
        shift = tuple(_sum_of(shift, image) for image in shift)
        size >>= 1
    return images


def _sum_of(images: Sequence[int], checksum: int) -> int:
    return reduce(xor, (image for bit, image in enumerate(images) if checksum >> bit & 1), 0)


def joined(first: int, second: int, size: int) -> int:
    """Combine the CRC32Cs of two parts; the second has `size` bytes (zlib's crc32_combine)."""
    return _sum_of(_shifted(size), first) ^ second
