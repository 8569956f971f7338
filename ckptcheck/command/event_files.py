"""TensorBoard's event files: the scalars in them, by step.

A file is a sequence of records (`tensorflow/core/lib/io/record_writer.h`): a length, its masked
CRC32C, the content, and its masked CRC32C. Each content is an `Event` (`core/util/event.proto`).
"""

import struct
from collections.abc import Iterator

import numpy as np

from ckptcheck.checkpoints.checksums import checksum, masked
from ckptcheck.checkpoints.tensor_bundle.protobuf import MalformedError, content, fields, signed

_STEP, _SUMMARY, _VALUE = 2, 5, 1  # of an Event, and of its Summary
_TAG, _SIMPLE, _TENSOR = 1, 2, 8  # of a Summary.Value
_DTYPE, _CONTENT, _FLOATS, _DOUBLES = 1, 4, 5, 6  # of a TensorProto
_FLOAT, _DOUBLE = 1, 2  # its element types


def scalars(data: bytes) -> Iterator[tuple[int, str, float]]:
    """Yield step, tag and value of each scalar in an event file.

    It ends at the first record that is not whole: the file may still be written.
    """
    for record in _records(data):
        try:
            yield from _of_event(record)
        except MalformedError:
            return


def _records(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + 12 <= len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        end = at + 12 + size
        if not _is_whole(data[at : at + 8], data[at + 8 : at + 12]) or end + 4 > len(data):
            return
        record = data[at + 12 : end]
        if not _is_whole(record, data[end : end + 4]):
            return
        yield record
        at = end + 4


def _is_whole(part: bytes, stored: bytes) -> bool:
    return masked(checksum(part)) == int.from_bytes(stored, "little")


def _of_event(event: bytes) -> Iterator[tuple[int, str, float]]:
    step, summaries = 0, []
    for number, value in fields(event):
        if number == _STEP:
            step = signed(value)
        elif number == _SUMMARY:
            summaries.append(content(value))
    for summary in summaries:
        for number, value in fields(summary):
            if number == _VALUE:
                tag, scalar = _of_value(content(value))
                if scalar is not None:
                    yield step, tag, scalar


def _of_value(message: bytes) -> tuple[str, float | None]:
    tag, scalar = "", None
    for number, value in fields(message):
        if number == _TAG:
            tag = content(value).decode("utf-8", "replace")
        elif number == _SIMPLE and isinstance(value, int):
            scalar = struct.unpack("<f", value.to_bytes(4, "little"))[0]
        elif number == _TENSOR:
            scalar = _of_tensor(content(value))
    return tag, scalar


def _of_tensor(message: bytes) -> float | None:
    """Return the element of a tensor that holds one floating-point number; None: it does not."""
    dtype, raw = 0, b""
    for number, value in fields(message):
        if number == _DTYPE:
            dtype = signed(value)
        elif number in (_CONTENT, _FLOATS, _DOUBLES):
            size = 8 if number == _DOUBLES else 4
            # An unpacked element is a number of its own.
            raw += value.to_bytes(size, "little") if isinstance(value, int) else value
    form = {_FLOAT: "<f4", _DOUBLE: "<f8"}.get(dtype)
    if form is None or len(raw) != np.dtype(form).itemsize:
        return None
    return float(np.frombuffer(raw, form)[0])
