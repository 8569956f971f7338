"""What is recorded of a batch on a device: exact sums, and the fingerprints of its examples."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

from ckptcheck.adapters.torch.arrays import as_array  # noqa: E402
from ckptcheck.adapters.torch.observer.batches import recorded, summed_up, sums  # noqa: E402
from ckptcheck.run.digests import fingerprints  # noqa: E402

pytestmark = pytest.mark.torch

DTYPES = ["float32", "float64", "float16", "bfloat16", "bool", "int64", "uint8", "complex64"]
SHAPES = [(), (3,), (5, 7), (4, 3, 50, 50), (1, 20_000)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_flipped_bit_changes_the_sums(dtype: str, shape: tuple[int, ...]) -> None:
    values = (torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 50).to(
        getattr(torch, dtype)
    )
    flipped = values.clone().reshape(-1)
    flipped.view(torch.uint8)[-1] ^= 1
    assert torch.equal(sums(values), sums(values.clone()))
    assert not torch.equal(sums(values), sums(flipped.reshape(shape)))


def test_sums_depend_on_the_places_of_values() -> None:
    values = torch.arange(20_000.0)
    swapped = values.clone()
    swapped[5], swapped[4096 * 3 + 5] = values[4096 * 3 + 5], values[5]
    assert not torch.equal(sums(values), sums(swapped))
    signs = values.clone()
    signs[7:9] *= -1
    assert not torch.equal(sums(values), sums(signs))


def test_sums_are_those_of_the_values_not_of_their_layout() -> None:
    values = torch.randn(3, 4, dtype=torch.complex64).conj().t()
    assert torch.equal(sums(values), sums(values.resolve_conj().contiguous()))
    assert torch.equal(sums(torch.zeros(0)), sums(torch.zeros(0)))


def test_a_batch_on_a_device_is_told_by_digest_and_examples() -> None:
    images, labels = torch.randn(6, 3, 8, 8), torch.arange(6)
    batch = summed_up([images, labels])
    assert batch.digest() == summed_up([images.clone(), labels.clone()]).digest()
    assert batch.digest() != summed_up([images, labels.flip(0)]).digest()
    assert batch.digest() != summed_up([images]).digest()
    assert batch.examples() == fingerprints([as_array(images), as_array(labels)])
    assert batch.nbytes == 6 * 64 * 4 + 6 * 8


def test_a_batch_without_examples_has_none() -> None:
    assert summed_up([torch.tensor(1.0)]).examples() == ""
    assert summed_up([torch.zeros(5000, 1)]).examples() == ""


def test_a_batch_in_memory_is_copied() -> None:
    values, array = torch.ones(2), np.ones(2)
    kept = recorded([values, array])
    values += 1
    array += 1
    assert isinstance(kept, list)
    assert [each.tolist() for each in kept] == [[1, 1], [1, 1]]
