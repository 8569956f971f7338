"""The arrays of batches, whatever holds them."""

from typing import Any

import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tensorflow.batches import arrays_of
from ckptcheck.run.digests import digest


def same(one: Any, other: Any) -> bool:
    return digest(*arrays_of(one)) == digest(*arrays_of(other))


def test_numbers_are_kept() -> None:
    numbers = np.arange(6, dtype=np.float32).reshape(2, 3)
    (array,) = arrays_of([tf.constant(numbers)])
    assert (array.dtype, array.tolist()) == (np.float32, numbers.tolist())
    (half,) = arrays_of([tf.constant([1.5], tf.bfloat16)])
    assert half.dtype.name == "bfloat16"


def test_text() -> None:
    texts: list[Any] = [
        tf.constant(["a", "bc"]),
        np.array(["a", "bc"]),
        np.array(["a", b"bc"], object),
    ]
    for text in texts:
        (array,) = arrays_of([text])
        assert array.tolist() == [b"a\x01", b"bc\x01"]
    assert not same([tf.constant(["a", "b\0"])], [tf.constant(["a", "b"])])


def test_other_objects_stay() -> None:
    (array,) = arrays_of([np.array([{}, None], object)])
    assert array.dtype == object


def test_ragged() -> None:
    rows = tf.ragged.constant([[1, 2], [], [3]])
    padded, lengths = arrays_of([rows])
    assert (padded.tolist(), lengths.tolist()) == ([[1, 2], [0, 0], [3, 0]], [2, 0, 1])
    assert not same([rows], [tf.ragged.constant([[1, 2], [0], [3]])])


def test_sparse() -> None:
    dense = np.array([[0, 1.5, 0], [0, 0, 0], [2, 0, 0]], np.float32)
    rows, places, values = arrays_of([tf.sparse.from_dense(dense)])
    assert (len(rows), places.tolist(), values.tolist()) == (3, [[0, 1], [2, 0]], [1.5, 2.0])
    # Each row has a hash of its own, wherever it stands.
    (turned, *_) = arrays_of([tf.sparse.from_dense(dense[::-1])])
    assert turned[::-1].tolist() == rows.tolist()
    (other, *_) = arrays_of([tf.sparse.from_dense(np.roll(dense, 1, axis=1))])
    assert [one == two for one, two in zip(other, rows, strict=True)] == [False, True, False]


def test_nests() -> None:
    assert [array.tolist() for array in arrays_of({"b": [1, (2,)], "a": {"c": 3}})] == [3, 1, 2]
