"""Bytes of a file, in pieces, and their checksums. A file that ends too early is damaged, never silently short."""

import os
import stat
from collections.abc import Iterator, Sequence
from functools import cache, reduce
from operator import xor
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from ckptcheck.checkpoints.errors import DamagedError, TooShortError

# Big enough that a call costs little beside what it does, small enough that two of them stay in the caches. A multiple of
# every element size.
CHUNK = 1 << 20

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

# Added to a rotated checksum, so that the checksum of data that holds checksums is not special: see LevelDB's crc32c.h.
_MASK = 0xA282EAD8


def masked(checksum: int) -> int:
    """Return a CRC32C as files hold it."""
    return (((checksum >> 15) | (checksum << 17)) + _MASK) & 0xFFFFFFFF


def checksum(data: bytes | Bytes, before: int = 0) -> int:
    """Return the CRC32C of some bytes, or of `before`'s bytes and these."""
    # The library takes whatever has a buffer that stays where it is.
    return int(google_crc32c.extend(before, data))


@cache
def _behind(size: int) -> tuple[int, ...]:
    """Return what each bit of a checksum becomes when so many zero bytes follow: a checksum is linear over its bits."""
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
    """Return the CRC32C of two parts from their own, where the second has `size` bytes: what zlib calls crc32_combine."""
    return _sum_of(_behind(size), first) ^ second


class File:
    """A file that is open for reading at any place; closed when it is no longer used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        try:
            # What is no file, such as a pipe, must not make us wait for whoever writes to it.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            status = os.fstat(self._descriptor)
        except OSError as error:
            raise DamagedError(reason(error), path) from None
        if not stat.S_ISREG(status.st_mode):
            raise DamagedError(
                f"it cannot be read: it is {'a folder' if stat.S_ISDIR(status.st_mode) else 'no file'}",
                path,
            )
        self.size = status.st_size

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def read(self, offset: int, size: int, tensor: str | None = None) -> bytes:
        """Return some bytes; TooShortError: the file ends before the last of them."""
        self.must_hold(offset, size, tensor)
        content = bytearray(size)
        self._fill(memoryview(content), offset, tensor)
        return bytes(content)

    def _fill(self, part: memoryview, offset: int, tensor: str | None) -> None:
        got = 0  # one call may not give all, and the file can have been cut off meanwhile
        while got < len(part):
            try:
                count = os.preadv(self._descriptor, [part[got:]], offset + got)
            except OSError as error:
                raise DamagedError(reason(error), self.path, offset + got, tensor) from None
            if not count:
                raise TooShortError(
                    "the file became shorter while it was read", self.path, offset + got, tensor
                )
            got += count

    def chunks(self, offset: int, size: int, tensor: str | None = None) -> Iterator[Bytes]:
        """Yield what `read` returns in pieces of at most CHUNK, each of them overwritten by the next."""
        self.must_hold(offset, size, tensor)
        buffer = np.empty(min(size, CHUNK), np.uint8)
        while size:
            part = buffer[: min(size, CHUNK)]
            self._fill(part.data, offset, tensor)
            yield part
            offset += len(part)
            size -= len(part)

    def must_hold(self, offset: int, size: int, tensor: str | None = None) -> None:
        """Refuse to read what a file does not have, with a TooShortError."""
        if offset < 0 or size < 0 or offset + size > self.size:
            missing = f"{size:,} bytes from byte {offset:,} on should be there"
            raise TooShortError(
                f"the file ends at byte {self.size:,}; {missing}", self.path, tensor=tensor
            )


def reason(error: OSError) -> str:
    """Return why the system cannot read a file, in words."""
    if isinstance(error, FileNotFoundError):
        return "the file is missing"
    return f"it cannot be read: {(error.strerror or str(error)).lower()}"
