"""A minimal Protocol Buffers decoder: a message as its fields.

Format: protobuf.dev/programming-guides/encoding. It reads TensorFlow's `tensor_bundle.proto`,
`tensor_shape.proto`, `tensor_slice.proto` and `trackable_object_graph.proto`.
"""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class MalformedError(ValueError):
    """The bytes are not a valid message."""


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at an offset, and the offset behind it: 7 bits a byte, lowest first."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise MalformedError("a number has no end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 1 << 64:
                raise MalformedError("a number exceeds 64 bits")
            return value, at
        shift += 7


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield each field's number and value: a number, or the bytes of a text or message."""
    at, end = 0, len(message)
    while at < end:
        # Nearly all tags and many values are one byte.
        tag = message[at]
        at += 1
        if tag >= 0x80:
            tag, at = varint(message, at - 1)
        number, wire = tag >> 3, tag & 7
        if not number:
            raise MalformedError("a field has the number 0")
        if wire == VARINT:
            value, at = varint(message, at)
            yield number, value
            continue
        if wire == BYTES:
            length, at = varint(message, at)
        elif wire in (FIXED32, FIXED64):
            length = 4 if wire == FIXED32 else 8
        else:
            raise MalformedError(f"field {number} has the unknown wire type {wire}")
        if at + length > end:
            raise MalformedError(f"field {number} extends beyond the end of the message")
        part = message[at : at + length]
        at += length
        yield number, part if wire == BYTES else int.from_bytes(part, "little")


def number(value: int | bytes) -> int:
    """Return the value of a number field."""
    if not isinstance(value, int):
        raise MalformedError("a number field holds bytes")
    return value


def signed(value: int | bytes) -> int:
    """Return the value of an int64 field."""
    unsigned = number(value)
    return unsigned - (1 << 64) if unsigned >= 1 << 63 else unsigned


def content(value: int | bytes) -> bytes:
    """Return the value of a text or message field."""
    if not isinstance(value, bytes):
        raise MalformedError("a text or message field holds a number")
    return value
