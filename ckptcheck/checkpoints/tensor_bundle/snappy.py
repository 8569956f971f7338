"""A decompressor for Snappy, with which TensorFlow's tables may compress their blocks.

Format: `format_description.txt` of github.com/google/snappy: the length of the content, then
elements. An element is literal bytes, or a copy of bytes that were written before. TensorFlow's
savers never compress, but its reader and other programs do.
"""

from ckptcheck.checkpoints.tensor_bundle.protobuf import MalformedError, varint

# A copy of three bytes yields at most 64.
_MOST_EXPANDED = 32


def decompressed(data: bytes, most: int) -> bytes:
    """Return the content; raise MalformedError if it is invalid, or longer than `most` bytes."""
    size, at = varint(data, 0)
    if size > min(most, _MOST_EXPANDED * len(data)):
        raise MalformedError(f"it claims to hold {size:,} bytes")
    content = bytearray()
    while at < len(data):
        length, offset, at = _element(data, at)
        if len(content) + length > size:
            raise MalformedError("it holds more bytes than it claims")
        if offset is None:
            if at + length > len(data):
                raise MalformedError("literal bytes extend beyond its end")
            content += data[at : at + length]
            at += length
        else:
            _copy(content, offset, length)
    if len(content) != size:
        raise MalformedError(f"it holds {len(content):,} bytes instead of {size:,}")
    return bytes(content)


def _element(data: bytes, at: int) -> tuple[int, int | None, int]:
    """Return the length of an element, how far back it copies from, and the offset behind both."""
    tag, at = data[at], at + 1
    kind, length = tag & 3, (tag >> 2) + 1
    if kind == 0:
        extra = max(0, length - 60)
        return _number(data, at, extra) + 1 if extra else length, None, at + extra
    if kind == 1:
        return (tag >> 2 & 7) + 4, tag >> 5 << 8 | _number(data, at, 1), at + 1
    extra = 2 if kind == 2 else 4
    return length, _number(data, at, extra), at + extra


def _number(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise MalformedError("an element extends beyond its end")
    return int.from_bytes(data[at : at + size], "little")


def _copy(content: bytearray, offset: int, length: int) -> None:
    """Append a copy of earlier bytes; it may overlap its own result, and then repeats them."""
    if not 0 < offset <= len(content):
        raise MalformedError("it copies from before its start")
    start = len(content) - offset
    part = bytes(content[start : start + length])
    content += (part * (length // len(part) + 1))[:length]
