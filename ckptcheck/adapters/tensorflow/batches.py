"""The arrays of a batch, whatever holds them: tensors, text, ragged and sparse tensors, nests."""

from typing import Any

import numpy as np
import tensorflow as tf

# Odd factors that spread the positions and values of a sparse row over 64 bits.
_POSITION, _VALUE = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


def arrays_of(batch: Any) -> list[Any]:
    """Return the arrays of a nested batch in a fixed order, with the examples on the first axis.

    A ragged tensor is padded, and followed by its row lengths. A sparse one is a hash of each row,
    its positions and its values.
    """
    return [array for item in tf.nest.flatten(batch) for array in _arrays(item)]


def _arrays(item: Any) -> list[Any]:
    if isinstance(item, tf.RaggedTensor):
        return [as_array(part) for part in (item.to_tensor(), *item.nested_row_lengths())]
    if isinstance(item, tf.SparseTensor):
        values, places = as_array(item.values), item.indices.numpy()
        return [_rows(item.dense_shape.numpy(), places, values), places, values]
    return [as_array(item)]


def as_array(value: Any) -> Any:
    """Return a tensor as an array, without a copy if possible; text as fixed-length bytes."""
    if tf.is_tensor(value) and value.dtype == tf.string:
        value = value.numpy()
    try:
        array = np.asarray(memoryview(value) if tf.is_tensor(value) else value)
    except (TypeError, ValueError, BufferError, NotImplementedError):  # such as bfloat16
        array = np.asarray(value)
    return _as_bytes(array) if array.dtype.kind in "OU" else array


def _as_bytes(array: Any) -> Any:
    """Return text as bytes of one length; any other objects as they are."""
    values = array.reshape(-1).tolist()
    if not all(isinstance(value, str | bytes) for value in values):
        return array
    # NumPy drops zeros at the end of bytes, so a mark follows each text.
    marked = [
        (value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value) + b"\x01"
        for value in values
    ]
    return np.array(marked, np.bytes_).reshape(array.shape)


def _rows(shape: Any, places: Any, values: Any) -> Any:
    """Return a hash of each row of a sparse tensor."""
    raw = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
    mixed = (raw.astype(np.uint64) + np.uint64(1)).cumprod(axis=1, dtype=np.uint64)
    hashes = mixed.sum(axis=1, dtype=np.uint64) * _VALUE
    for axis in range(1, places.shape[1]):
        hashes = (hashes ^ (places[:, axis].astype(np.uint64) * _POSITION)) * _VALUE
    rows = np.zeros(shape[0], np.uint64)
    np.add.at(rows, places[:, 0], hashes ^ (hashes >> np.uint64(29)))
    return rows
