"""LevelDB tables, the format of indexes and of V1 checkpoints: sorted keys and values in blocks.

Format: `tensorflow/core/lib/io/table_format.txt`. Data blocks are followed by the index block,
which holds their last keys and places, and by a footer of 48 bytes with the place of the index
block. After each block come a byte for its compression, and a masked CRC32C of both.
TensorFlow's savers never compress; a block may be compressed with Snappy.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ckptcheck.checkpoints.checksums import checksum, masked
from ckptcheck.checkpoints.errors import DamagedError, NotReadableError
from ckptcheck.checkpoints.first_bytes import refusal
from ckptcheck.checkpoints.reader import File
from ckptcheck.checkpoints.tensor_bundle.protobuf import MalformedError, varint
from ckptcheck.checkpoints.tensor_bundle.snappy import decompressed

_PLAIN, _SNAPPY = 0, 1
MAGIC = 0xDB4775248B80FB57
FOOTER = 48
TRAILER = 5
# TensorFlow writes blocks of 256 KiB, several times that for a large value; longer ones are forged.
LARGEST_BLOCK = 1 << 28

# Most bytes of keys per byte of a block: every 16th key is stored whole (the restart interval).
MOST_SHARED = 32


@dataclass(frozen=True)
class Block:
    """The place of a data block; no key in it is greater than `last`."""

    last: bytes
    offset: int
    size: int


def rows(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield every key and value in key order; each block is verified before its first row."""
    file = File(path)
    last = None
    for block in blocks(file):
        for key, value in rows_of(file, block):
            if last is not None and key <= last:
                raise DamagedError("the keys are not in order", path)
            yield key, value
            last = key


def blocks(file: File) -> Iterator[Block]:
    """Yield the data blocks of a table, in key order."""
    _, index = _footer(file)
    end = 0
    for last, handle in _block(file, *index):
        offset, size = _handle(file, handle)
        if not end <= offset <= index[0] - size - TRAILER:
            raise DamagedError(
                f"a block of {size:,} bytes at byte {offset:,} overlaps its neighbours", file.path
            )
        end = offset + size + TRAILER
        yield Block(last, offset, size)


def rows_of(file: File, block: Block, most: int = LARGEST_BLOCK) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a block of at most `most` bytes."""
    return _block(file, block.offset, block.size, most)


def is_table(path: Path) -> bool:
    """Return whether a file ends with a table's magic number."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 8))
        return file.read() == MAGIC.to_bytes(8, "little")


def check_unread(path: Path) -> None:
    """Verify the metaindex block, which `rows` does not read."""
    file = File(path)
    meta, _ = _footer(file)
    for _ in _block(file, *meta):
        pass


def _footer(file: File) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the places (offset, size) of the metaindex block and of the index block."""
    if file.size < FOOTER:
        raise refusal(file.path, "an index") or DamagedError(
            f"the file has {file.size} bytes, too few for an index: a write was interrupted",
            file.path,
        )
    start = file.size - FOOTER
    footer = file.read(start, FOOTER)
    if int.from_bytes(footer[-8:], "little") != MAGIC:
        raise refusal(file.path, "an index") or DamagedError(
            "the file does not end as TensorFlow's do: it is truncated, or a different file",
            file.path,
            start,
        )
    try:
        numbers, at = [], 0
        for _ in range(4):
            value, at = varint(footer[:-8], at)
            numbers.append(value)
    except MalformedError as error:
        raise DamagedError(f"the footer is corrupt: {error}", file.path, start) from None
    return (numbers[0], numbers[1]), (numbers[2], numbers[3])


def _handle(file: File, value: bytes) -> tuple[int, int]:
    try:
        offset, at = varint(value, 0)
        size, _ = varint(value, at)
    except MalformedError as error:
        raise DamagedError(f"the place of a block is corrupt: {error}", file.path) from None
    return offset, size


def _block(
    file: File, offset: int, size: int, most: int = LARGEST_BLOCK
) -> Iterator[tuple[bytes, bytes]]:
    if size > most or offset + size + TRAILER > file.size - FOOTER:
        raise DamagedError(
            f"a block of {size:,} bytes at byte {offset:,} exceeds the file", file.path
        )
    data = file.read(offset, size + TRAILER)
    if masked(checksum(data[: size + 1])) != int.from_bytes(data[size + 1 :], "little"):
        raise DamagedError(
            f"the checksum of a block of {size:,} bytes does not match: the index is corrupt",
            file.path,
            offset,
        )
    if data[size] not in (_PLAIN, _SNAPPY):
        raise NotReadableError(
            f"a block is compressed by the unknown method {data[size]}", file.path, offset
        )
    try:
        plain = decompressed(data[:size], LARGEST_BLOCK) if data[size] else data[:size]
        yield from _rows(plain)
    except MalformedError as error:
        raise DamagedError(f"a block is malformed: {error}", file.path, offset) from None


def _rows(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the rows of a block; each key omits the prefix that it shares with the one before."""
    if len(block) < 4:
        raise MalformedError("it is too short for its number of restart points")
    end = len(block) - 4 - 4 * int.from_bytes(block[-4:], "little")
    if end < 0:
        raise MalformedError("its restart points need more bytes than it has")
    at, key, length_of_keys = 0, b"", 0
    while at < end:
        shared, at = varint(block, at)
        own, at = varint(block, at)
        length, at = varint(block, at)
        if shared > len(key) or at + own + length > end:
            raise MalformedError("a row extends beyond its end")
        key = key[:shared] + block[at : at + own]
        at += own
        length_of_keys += len(key)
        if length_of_keys > MOST_SHARED * len(block):
            raise MalformedError("its keys share longer prefixes than any table's")
        yield key, block[at : at + length]
        at += length
