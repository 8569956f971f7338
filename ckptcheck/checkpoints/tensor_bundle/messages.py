"""The messages of a bundle's index (`tensorflow/core/protobuf/tensor_bundle.proto`)."""

from dataclasses import dataclass
from functools import lru_cache

from ckptcheck.checkpoints.tensor_bundle.protobuf import (
    MalformedError,
    content,
    fields,
    number,
    signed,
)

# The length of an extent that covers its whole dimension.
WHOLE = -1

_ESCAPED = {0x00: b"\x00\xff", 0xFF: b"\xff\x00"}


@dataclass(frozen=True)
class Extent:
    """The range that a slice covers in one dimension; WHOLE: all of it."""

    start: int
    length: int


@dataclass(frozen=True)
class BundleEntry:
    """The entry of a tensor or a slice: type, shape, place. A tensor with slices has no bytes."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int
    slices: tuple[tuple[Extent, ...], ...]


def header(message: bytes) -> tuple[int, bool]:
    """Read a header: the number of data files, and whether values are big-endian."""
    values = dict(fields(message))
    shards, endianness = signed(values.get(1, 0)), number(values.get(2, 0))
    if not 0 < shards <= 99_999 or endianness > 1:
        raise MalformedError(f"it claims {shards} data files and byte order {endianness}")
    return shards, bool(endianness)


def entry(message: bytes) -> BundleEntry:
    """Read an entry."""
    numbers = [0] * 7
    shape_: tuple[int, ...] = ()
    slices = []
    for field, value in fields(message):
        if field == 2:
            shape_ = shape(content(value))
        elif field == 7:
            slices.append(extents(content(value)))
        elif field < 7:
            numbers[field] = number(value)
    _, dtype, _, shard, offset, size, checksum = numbers
    if max(offset, size, shard) >= 1 << 63:
        raise MalformedError("an offset, a size or a data file number is negative")
    return BundleEntry(dtype, shape_, shard, offset, size, checksum, tuple(slices))


@lru_cache(4096)  # most tensors of a model have one of a few shapes
def shape(message: bytes) -> tuple[int, ...]:
    """Read a `TensorShapeProto`."""
    sizes = []
    for field, value in fields(message):
        if field == 2:
            sizes.append(signed(dict(fields(content(value))).get(1, 0)))
        elif field == 3 and number(value):
            raise MalformedError("the shape is unknown")
    if any(size < 0 for size in sizes) or len(sizes) > 254:
        raise MalformedError(f"{sizes[:8]} is not a valid shape")
    return tuple(sizes)


def extents(message: bytes) -> tuple[Extent, ...]:
    """Read a `TensorSliceProto`."""
    return tuple(_extent(content(value)) for field, value in fields(message) if field == 1)


def _extent(message: bytes) -> Extent:
    values = dict(fields(message))
    return Extent(signed(values.get(1, 0)), signed(values.get(2, WHOLE)))


def slice_key(name: bytes, extents: tuple[Extent, ...]) -> bytes:
    """Return the index key of a tensor's slice.

    The encoding preserves order: see `tensorflow/core/util/saved_tensor_slice_util.cc`, and
    `tensorflow/core/lib/strings/ordered_code.cc` for its text and numbers.
    """
    text = b"".join(_ESCAPED.get(byte, bytes([byte])) for byte in name)
    start = b"\x00" + text + b"\x00\x01" + _unsigned(len(extents))
    return start + b"".join(_ordered(extent.start) + _ordered(extent.length) for extent in extents)


def _unsigned(value: int) -> bytes:
    digits = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return bytes([len(digits)]) + digits


def _ordered(value: int) -> bytes:
    """Encode a signed number: a leading one for each byte, then its bits, inverted if negative."""
    size = ((~value if value < 0 else value).bit_length() + 7) // 7
    bits = value & ((1 << 8 * size) - 1)
    leading = ((1 << size) - 1) << (7 * size)
    return (bits ^ leading).to_bytes(size, "big")
