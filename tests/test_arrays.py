"""Equal means equal bit for bit; each kind of difference is planted once."""

import math

import ml_dtypes
import numpy as np
import pytest

from ckptcheck.arrays import count_not_finite, differing, same

ONE_BIT = np.array([1.0, 2.0], np.float32)


def flipped(array: np.ndarray, element: int = 0) -> np.ndarray:
    other = array.copy()
    other.reshape(-1).view(np.uint8)[element * array.dtype.itemsize] ^= 1
    return other


@pytest.mark.parametrize(
    "dtype",
    ["float32", "float64", "int64", "uint8", "bool", "complex64", "float16", ml_dtypes.bfloat16],
)
def test_every_dtype_is_equal_to_itself_and_not_to_a_flipped_bit(dtype: str) -> None:
    array = np.array([1, 0, 1, 1]).astype(dtype).reshape(2, 2)
    assert same(array, array.copy())
    if dtype != "bool":
        assert differing(array, flipped(array, 3)).tolist() == [[False, False], [False, True]]
    assert not same(array, flipped(array, 3))


def test_scalars_and_empty_arrays() -> None:
    assert same(np.array(3.0), np.array(3.0))
    assert not same(np.array(3.0), np.array(np.nextafter(3.0, 4.0)))
    assert same(np.empty((0, 4)), np.empty((0, 4)))
    assert not same(np.empty((0, 4)), np.empty((4, 0)))


def test_dtype_shape_and_sign_of_zero_count() -> None:
    assert not same(np.zeros(3), np.zeros(3, np.float32))
    assert not same(np.zeros(3), np.zeros((3, 1)))
    assert not same(np.array([0.0]), np.array([-0.0]))


def test_nan_equals_nan_only_on_request() -> None:
    array = np.array([1.0, math.nan])
    assert not same(array, array)
    assert same(array, array, equal_nan=True)
    assert not same(array, np.array([math.nan, math.nan]), equal_nan=True)
    half = np.array([math.nan], ml_dtypes.bfloat16)
    assert not same(half, half)
    assert same(half, half, equal_nan=True)


def test_order_in_memory_does_not_count() -> None:
    array = np.arange(6.0).reshape(2, 3)
    assert same(array, np.asfortranarray(array))


@pytest.mark.parametrize(
    ("control", "resumed", "count"),
    [
        ([np.inf, 0], [np.inf, 1], 0),  # an infinity that the control holds, too
        ([np.inf, 0], [-np.inf, 1], 1),
        ([np.inf, 0], [np.inf, np.nan], 1),
        ([np.nan, 0], [np.nan, 1], 0),
        ([np.nan, 0], [np.nan, 0], 1),  # nothing but NaN differs
        ([1, 0], [np.nan, np.inf], 2),
        ([1, 0, 0], [np.nan, np.inf], 2),
        (None, [np.inf, 0], 1),
    ],
)
def test_not_finite_counts_what_the_control_does_not_hold(
    control: list[float] | None, resumed: list[float], count: int
) -> None:
    known = None if control is None else np.array(control, float)
    assert count_not_finite(known, np.array(resumed, float)) == count
