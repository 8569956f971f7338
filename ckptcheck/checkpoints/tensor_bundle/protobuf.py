"""Protocol buffers, as far as checkpoints need them: a message as its fields.

The format is described at protobuf.dev/programming-guides/encoding; the messages read here are those of TensorFlow's
`tensor_bundle.proto`, `tensor_shape.proto`, `tensor_slice.proto` and `trackable_object_graph.proto`.
"""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class MalformedError(ValueError):
    """The bytes are no such message."""


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at a place, and the place behind it: 7 bits a byte, the lowest first."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise MalformedError("a number does not end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 1 << 64:
                raise MalformedError("a number is above 64 bits")
            return value, at
        shift += 7


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield each field of a message, its number and its value: a number, or the bytes of text or of a message."""
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
            raise MalformedError(f"field {number} is of the unknown wire type {wire}")
        if at + length > end:
            raise MalformedError(f"field {number} reaches beyond the end of the message")
        part = message[at : at + length]
        at += length
        yield number, part if wire == BYTES else int.from_bytes(part, "little")


def number(value: int | bytes) -> int:
    """Return the value of a field that is a number."""
    if not isinstance(value, int):
        raise MalformedError("a field that is a number holds bytes")
    return value


def signed(value: int | bytes) -> int:
    """Return the value of a field that is an int64."""
    unsigned = number(value)
    return unsigned - (1 << 64) if unsigned >= 1 << 63 else unsigned


def content(value: int | bytes) -> bytes:
    """Return the value of a field that is text or a message."""
    if not isinstance(value, bytes):
        raise MalformedError("a field that is text or a message holds a number")
    return value
