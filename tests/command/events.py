"""Event files as TensorBoard reads them, made by hand."""

import struct

from ckptcheck.checkpoints.checksums import checksum, masked


def varint(number: int) -> bytes:
    number, parts = number & (1 << 64) - 1, []
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def message(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def simple(value: float) -> bytes:
    return varint(2 << 3 | 5) + struct.pack("<f", value)


def tensor(dtype: int, fields: bytes) -> bytes:
    return message(8, varint(1 << 3) + varint(dtype) + message(2, b"") + fields)


def event(step: int, tag: str, value: bytes, wall_time: float = 1.0) -> bytes:
    """Return an event with one scalar."""
    summary = message(1, message(1, tag.encode()) + value)
    at = varint(2 << 3) + varint(step)
    return varint(1 << 3 | 1) + struct.pack("<d", wall_time) + at + message(5, summary)


def record(content: bytes) -> bytes:
    size = struct.pack("<Q", len(content))
    parts = (size, crc(size), content, crc(content))
    return b"".join(parts)


def crc(data: bytes) -> bytes:
    return struct.pack("<I", masked(checksum(data)))


VERSION = record(varint(1 << 3 | 1) + struct.pack("<d", 1.0) + message(3, b"brain.Event:2"))


def losses(values: dict[int, float], tag: str = "loss") -> bytes:
    """Return a whole event file."""
    return VERSION + b"".join(
        record(event(step, tag, simple(value))) for step, value in values.items()
    )
