"""Digests show every difference and nothing else; fingerprints identify examples."""

import numpy as np
import pytest

from ckptcheck.arrays import Array
from ckptcheck.run.digests import MOST_EXAMPLES, digest, fingerprints, snapshot_digest, split
from tests.run.test_snapshots import STATE


def test_a_digest_covers_bytes_shape_and_dtype() -> None:
    array = np.arange(6, dtype=np.int32)
    assert digest(array) == digest(array.copy())
    others: list[Array] = [
        array[::-1],
        array.reshape(2, 3),
        array.astype(np.int64),
        array.view(np.uint32),
    ]
    assert len({digest(other) for other in [array, *others]}) == 5
    assert digest(np.asfortranarray(np.eye(3)[:2])) == digest(np.eye(3)[:2])


def test_a_snapshot_digest_covers_names_but_not_order() -> None:
    shuffled = dict(reversed(STATE.items()))
    renamed = {name.upper(): tensor for name, tensor in STATE.items()}
    assert snapshot_digest(STATE) == snapshot_digest(shuffled) != snapshot_digest(renamed)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.uint8, np.int64])
def test_a_fingerprint_follows_its_example(dtype: type) -> None:
    x: Array = (np.random.default_rng(0).normal(size=(8, 30)) * 50).astype(dtype)
    y = np.arange(8)
    order = np.array([3, 1, 0, 2, 7, 6, 5, 4])
    plain, shuffled = split(fingerprints([x, y])), split(fingerprints([x[order], y[order]]))
    assert len(set(plain)) == 8
    assert shuffled == tuple(plain[place] for place in order)
    assert split(fingerprints([x, y + 1])) != plain


def test_a_batch_without_examples_has_no_fingerprints() -> None:
    for arrays in ([], [np.array(1.0)], [np.zeros((0, 3))], [np.zeros((MOST_EXAMPLES + 1, 1))]):
        assert fingerprints(arrays) == ""
