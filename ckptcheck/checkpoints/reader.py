"""Chunked file reads. A short read is an error, never a shorter result."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ckptcheck.checkpoints.errors import DamagedError, TooShortError
from ckptcheck.checkpoints.first_bytes import stand_in

# Large enough to amortise a call, small enough that two chunks stay in the caches; a multiple of
# every element size.
CHUNK = 1 << 20

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


class File:
    """A file open for reads at any offset, or a part of one; closed with the object.

    Offsets count from where the part begins; those in errors, from where the file begins.
    """

    def __init__(self, path: Path, start: int = 0, size: int | None = None) -> None:
        self.path, self.start = path, 0
        self._descriptor = -1
        try:
            # Opening a named pipe must not wait for its writer.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            status = os.fstat(self._descriptor)
        except OSError as error:
            raise DamagedError(reason(error), path) from None
        if not stat.S_ISREG(status.st_mode):
            what = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise DamagedError(f"the file cannot be read: it is {what}", path)
        self.size = status.st_size
        if start or size is not None:
            size = self.size - start if size is None else size
            self.must_hold(start, size)
            self.start, self.size = start, size

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def read(self, offset: int, size: int, tensor: str | None = None) -> bytes:
        """Return `size` bytes; raise TooShortError if the file ends before the last of them."""
        self.must_hold(offset, size, tensor)
        content = bytearray(size)
        self._fill(memoryview(content), offset, tensor)
        return bytes(content)

    def _fill(self, part: memoryview, offset: int, tensor: str | None) -> None:
        offset += self.start
        got = 0  # a call may return fewer bytes, and the file may shrink meanwhile
        while got < len(part):
            try:
                count = os.preadv(self._descriptor, [part[got:]], offset + got)
            except OSError as error:
                raise DamagedError(reason(error), self.path, offset + got, tensor) from None
            if not count:
                raise TooShortError(
                    "the file was truncated while it was read", self.path, offset + got, tensor
                )
            got += count

    def chunks(self, offset: int, size: int, tensor: str | None = None) -> Iterator[Bytes]:
        """Yield the bytes in chunks of at most CHUNK; each chunk overwrites the one before."""
        self.must_hold(offset, size, tensor)
        buffer = np.empty(min(size, CHUNK), np.uint8)
        while size:
            part = buffer[: min(size, CHUNK)]
            self._fill(part.data, offset, tensor)
            yield part
            offset += len(part)
            size -= len(part)

    def must_hold(self, offset: int, size: int, tensor: str | None = None) -> None:
        """Raise TooShortError if the file does not hold these bytes."""
        if offset < 0 or size < 0 or offset + size > self.size:
            instead = stand_in(self.path)
            if instead is not None:
                what, remedy = f"the file is {instead.what}", instead.remedy
                raise TooShortError(what, self.path, tensor=tensor, remedy=remedy)
            expected = f"{size:,} bytes are expected at byte {self.start + offset:,}"
            part = "its part" if self.start else "the file"
            what = f"{part} ends at byte {self.start + self.size:,}, but {expected}"
            raise TooShortError(what, self.path, tensor=tensor)


def reason(error: OSError) -> str:
    """Return why the system cannot read a file, for an error message."""
    if isinstance(error, FileNotFoundError):
        return "the file is missing"
    return f"the file cannot be read: {(error.strerror or str(error)).lower()}"
