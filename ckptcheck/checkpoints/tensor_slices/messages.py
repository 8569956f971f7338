"""The messages of V1 checkpoints, and the values in them.

Format: `tensorflow/core/util/saved_tensor_slice.proto`. A value is a `TensorProto`
(`tensorflow/core/framework/tensor.proto`) of which only the list of elements is set;
`saved_tensor_slice_util.h` says which list each element type has.
"""

from dataclasses import dataclass

import numpy as np

from ckptcheck.arrays import Array
from ckptcheck.checkpoints.tensor_bundle.dtypes import BY_NUMBER
from ckptcheck.checkpoints.tensor_bundle.messages import Extent, extents, shape
from ckptcheck.checkpoints.tensor_bundle.protobuf import MalformedError, content, fields, number

# The number of a type's list in TensorProto. All others are not saved to V1 files.
_LISTS = {
    "float32": 5,
    "float64": 6,
    "complex64": 9,
    "complex128": 12,
    **dict.fromkeys(("int32", "int16", "uint16", "int8", "uint8", "qint8", "quint8", "qint32"), 7),
    "int64": 10,
    "bool": 11,
    "float16": 13,
    "string": 8,
}
_FIXED = ("float32", "float64", "complex64", "complex128")
SUPPORTED = frozenset(_LISTS)


@dataclass(frozen=True)
class SavedTensor:
    """What the first row of a file says of a tensor: its type and shape, and the slices there."""

    name: str
    shape: tuple[int, ...]
    dtype: int
    slices: tuple[tuple[Extent, ...], ...]


def saved_tensors(message: bytes) -> list[SavedTensor]:
    """Read the first row of a file: `SavedTensorSlices` with `meta` set."""
    metas = [content(value) for field, value in fields(message) if field == 1]
    if not metas:
        raise MalformedError("it has no list of tensors")
    return [
        _saved_tensor(content(value))
        for meta in metas
        for field, value in fields(meta)
        if field == 1
    ]


def _saved_tensor(message: bytes) -> SavedTensor:
    name, dtype, slices = "", 0, []
    its_shape: tuple[int, ...] = ()
    for field, value in fields(message):
        if field == 1:
            name = content(value).decode("utf-8", "surrogateescape")
        elif field == 2:
            its_shape = shape(content(value))
        elif field == 3:
            dtype = number(value)
        elif field == 4:
            slices.append(extents(content(value)))
    return SavedTensor(name, its_shape, dtype, tuple(slices))


def tensor(message: bytes) -> bytes:
    """Return the `TensorProto` of any other row: `SavedTensorSlices` with `data` set."""
    slice_ = _last(message, 2)
    return _last(slice_, 3)


def _last(message: bytes, which: int) -> bytes:
    values = [content(value) for field, value in fields(message) if field == which]
    if not values:
        raise MalformedError(f"it has no field {which}")
    return values[-1]


def texts(message: bytes) -> list[bytes]:
    """Return the elements of a `TensorProto` of text."""
    return [content(value) for field, value in fields(message) if field == _LISTS["string"]]


def elements(message: bytes, dtype: int, count: int) -> Array:
    """Return the `count` elements of a `TensorProto`, flat, in little-endian byte order."""
    type_ = BY_NUMBER[dtype]
    assert type_.numpy is not None
    packed = b"".join(
        content(value) for field, value in fields(message) if field == _LISTS[type_.name]
    )
    if type_.name not in _FIXED:
        numbers = _varints(packed, count)
        if type_.name == "float16":
            return numbers.astype("<u2").view("<f2")
        return numbers.view("<i8").astype(type_.numpy.newbyteorder("<"))
    if len(packed) != count * type_.numpy.itemsize:
        raise MalformedError(f"its {len(packed):,} bytes are not {count:,} of {type_.name}")
    return np.frombuffer(packed, type_.numpy.newbyteorder("<"))


def _varints(packed: bytes, count: int) -> Array:
    """Return packed numbers of variable length: 7 bits a byte, lowest first."""
    data = np.frombuffer(packed, np.uint8)
    ends = np.flatnonzero(data < 0x80)
    if len(ends) != count or (count and ends[-1] != len(data) - 1) or (len(data) and not count):
        raise MalformedError(f"it does not hold {count:,} numbers")
    starts = np.concatenate([np.zeros(1, ends.dtype), ends[:-1] + 1])[:count]
    lengths = ends - starts + 1
    longest = int(lengths.max(initial=0))
    if longest > 10:
        raise MalformedError("a number has no end")
    values = np.zeros(count, np.uint64)
    for at in range(longest):
        longer = lengths > at
        part = (data[starts[longer] + at] & 0x7F).astype(np.uint64)
        values[longer] |= part << np.uint64(7 * at)
    return values


def least_bytes(dtype: int, count: int) -> int:
    """Return the number of bytes that so many elements take at least."""
    type_ = BY_NUMBER[dtype]
    if type_.numpy is not None and type_.name in _FIXED:
        return count * type_.numpy.itemsize
    return count * (2 if type_.numpy is None else 1)
