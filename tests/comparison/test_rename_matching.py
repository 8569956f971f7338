"""Matching tensors with different names in the two runs."""

import numpy as np

from ckptcheck.comparison.rename_matching import match
from ckptcheck.job import Kind, Tensor
from ckptcheck.run.snapshots import Snapshot


def tensors(**values: np.ndarray) -> Snapshot:
    return {name: Tensor(Kind.WEIGHT, value) for name, value in values.items()}


ONE, TWO, ZEROS = np.array([1.0, 2.0]), np.array([3.0, 4.0]), np.zeros(2)


def test_by_value_then_by_order() -> None:
    control = tensors(a=ONE, b=TWO, c=ZEROS, d=np.ones((2, 2)))
    resumed = tensors(x=TWO, y=ONE, z=ZEROS, d=np.ones((2, 2)))
    assert match([control], [resumed]) == {"x": "b", "y": "a", "z": "c"}
    resumed = tensors(x=np.array([9.0, 9.0]), y=ONE, z=np.array([8.0, 8.0]), d=np.ones((2, 2)))
    assert match([control], [resumed]) == {"y": "a", "x": "b", "z": "c"}


def test_common_names_stay() -> None:
    assert match([tensors(a=ONE, b=TWO)], [tensors(b=ONE, a=TWO)]) == {}
    assert match([tensors(a=ONE)], [tensors(a=ONE)]) == {}


def test_unequal_numbers_shapes_or_dtypes_are_not_matched() -> None:
    control = tensors(a=ZEROS)
    assert match([control], [tensors(x=ZEROS, y=ZEROS)]) == {}
    assert match([control], [tensors(x=np.zeros(3))]) == {}
    assert match([control], [tensors(x=np.zeros(2, np.float32))]) == {}
    assert match([control], [{}]) == {}


def test_different_kinds_are_not_matched() -> None:
    assert match([tensors(a=ZEROS)], [{"x": Tensor(Kind.SLOT, ZEROS)}]) == {}


def test_groups_are_matched_separately() -> None:
    control = tensors(a=ONE, n=np.array(5))
    resumed = tensors(x=ONE, m=np.array(5), more=np.array(6))
    assert match([control], [resumed]) == {"x": "a"}


def test_the_first_value_that_a_tensor_has_counts() -> None:
    """A tensor created in the first step is matched by its value after it."""
    assert match(
        [tensors(a=ONE), tensors(a=TWO, b=ZEROS)], [tensors(x=ONE), tensors(x=ZEROS, y=ZEROS)]
    ) == {
        "x": "a",
        "y": "b",
    }
