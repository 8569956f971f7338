"""The difference of two values: every kind is planted, and measured."""

import math
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from ckptcheck import Tolerance
from ckptcheck.checkpoints import CHUNK
from ckptcheck.filetools.value_diff import ulps
from tests.filetools.differing import one


def test_one_number(tmp_path: Path) -> None:
    a = np.array([[1.0, -4.0], [2.0, 0.5]], "float32")
    b = a.copy()
    b[1, 0] = np.nextafter(np.float32(2), np.float32(3))
    found = one(tmp_path, a, b).difference
    assert found is not None
    assert (found.differing, found.absolute, found.at, found.ulp, found.scale, found.nan) == (
        1,
        2.0**-22,
        (1, 0),
        1,
        4.0,
        0,
    )
    assert (found.relative, found.share) == (2.0**-23, 2.0**-24)


@pytest.mark.parametrize("place", [0, CHUNK // 4 - 1, CHUNK // 4, 3 * CHUNK // 4 + 17, 999_999])
def test_one_number_anywhere_in_a_large_tensor(place: int, tmp_path: Path) -> None:
    a = np.ones((1000, 1000), "float32")
    b = a.copy()
    b.reshape(-1)[place] = 3
    found = one(tmp_path, a, b).difference
    assert found is not None
    assert (found.differing, found.absolute, found.at) == (1, 2.0, (place // 1000, place % 1000))


TYPES = [
    "float16",
    "float32",
    "float64",
    "bfloat16",
    "float8_e5m2",
    "float8_e4m3fn",
    "int8",
    "uint8",
    "int64",
    "uint64",
    "bool",
    "complex64",
    "int4",
    "uint4",
]


@pytest.mark.parametrize("name", TYPES)
def test_every_type(name: str, tmp_path: Path) -> None:
    dtype = np.dtype(getattr(ml_dtypes, name, None) or name)
    a = np.array([0, 1, 1, 1], dtype)
    b = np.array([0, 1, 0, 1], dtype)
    assert one(tmp_path, a, a).what == "same"
    found = one(tmp_path, a, b).difference
    assert found is not None
    assert (found.differing, found.absolute, found.relative, found.at, found.scale) == (
        1,
        1,
        1,
        (2,),
        1,
    )
    assert (found.ulp is None) == ("float" not in name)


def test_integers_are_compared_exactly(tmp_path: Path) -> None:
    """As float64, the two counters would be equal."""
    high = np.array([2**63 - 1, -(2**63)])
    found = one(tmp_path, high, np.array([2**63 - 2, 2**63 - 1])).difference
    assert found is not None
    assert (found.differing, found.absolute, found.at) == (2, 2**64 - 1, (1,))
    found = one(tmp_path, high, np.array([2**63 - 2, -(2**63)])).difference
    assert found is not None
    assert (found.differing, found.absolute) == (1, 1)


def test_minus_zero_differs_from_zero(tmp_path: Path) -> None:
    found = one(tmp_path, np.zeros(2, "float32"), np.array([0.0, -0.0], "float32")).difference
    assert found is not None
    assert (found.differing, found.absolute, found.relative, found.ulp, found.at, found.share) == (
        1,
        0.0,
        0.0,
        1,
        (1,),
        0.0,
    )


def nan(bits: int) -> Any:
    return np.array([bits], "uint32").view("float32")[0]


def test_nan_is_not_equal_unless_asked_for(tmp_path: Path) -> None:
    a, b = (np.array([1, nan(bits), np.inf], "float32") for bits in (0x7FC00000, 0x7FC00001))
    for same_bits in (a, b):
        found = one(tmp_path, a, same_bits).difference
        assert found is not None
        assert (found.differing, found.nan, found.at) == (1, 1, (1,))
        assert math.isnan(found.absolute or 0)
        assert one(tmp_path, a, same_bits, tolerance=Tolerance(equal_nan=True)).what == "same"
    c = np.array([1, 2, np.inf], "float32")
    assert one(tmp_path, a, c, tolerance=Tolerance(equal_nan=True)).what == "value"
    assert (
        one(tmp_path, a, c, tolerance=Tolerance(rtol=0.9, atol=1e30, equal_nan=True)).what
        == "value"
    )


def test_nan_of_complex_numbers(tmp_path: Path) -> None:
    a = np.array([complex(1, math.nan)], "complex64")
    assert one(tmp_path, a, a).what == "value"
    assert one(tmp_path, a, a, tolerance=Tolerance(equal_nan=True)).what == "same"
    other = np.array([complex(2, math.nan)], "complex64")
    assert one(tmp_path, a, other, tolerance=Tolerance(equal_nan=True)).what == "value"


def test_infinity(tmp_path: Path) -> None:
    a, b = np.array([1, np.inf, 5], "float32"), np.array([1, -np.inf, 6], "float32")
    assert one(tmp_path, a, a).what == "same"
    found = one(tmp_path, a, b).difference
    assert found is not None
    assert (found.differing, found.absolute, found.at, found.nan, found.relative, found.ulp) == (
        2,
        math.inf,
        (1,),
        0,
        0.2,
        2**21,
    )
    assert one(tmp_path, a, b, tolerance=Tolerance(rtol=0.9, atol=100)).difference is not None


def test_tolerances(tmp_path: Path) -> None:
    a, b = np.array([100.0, 1.0]), np.array([100.001, 1.0])
    assert one(tmp_path, a, b, tolerance=Tolerance(rtol=1.1e-5)).what == "same"
    assert one(tmp_path, a, b, tolerance=Tolerance(rtol=0.9e-5)).what == "value"
    assert one(tmp_path, a, b, tolerance=Tolerance(atol=0.0011)).what == "same"
    assert one(tmp_path, a, b, tolerance=Tolerance(atol=0.0009)).what == "value"
    steps_ = np.array([100]), np.array([101])
    assert one(tmp_path, *steps_, tolerance=Tolerance(atol=5)).what == "value"


def test_elements_within_the_tolerance_do_not_count(tmp_path: Path) -> None:
    found = one(
        tmp_path,
        np.array([1.0, 1.0, 1.0]),
        np.array([1.01, 1.2, 1.0]),
        tolerance=Tolerance(atol=0.1),
    ).difference
    assert found is not None
    assert (found.differing, found.at) == (1, (1,))


def test_text(tmp_path: Path) -> None:
    found = one(tmp_path, [b"one", b"two"], [b"one", b"too"]).difference
    assert found is not None
    assert (found.differing, found.absolute, found.at) == (1, None, (1,))


def test_empty_tensors(tmp_path: Path) -> None:
    assert one(tmp_path, np.zeros((0, 3), "float32"), np.zeros((0, 3), "float32")).what == "same"
    assert one(tmp_path, [], []).what == "same"
    assert one(tmp_path, np.zeros((0, 3), "float32"), np.zeros((3, 0), "float32")).what == "shape"


def test_ulp() -> None:
    values = np.array([-math.inf, -1.0, -0.0, 0.0, 5e-324, 1.0])
    assert ulps(values[2:3], values[3:4]) == 1
    assert ulps(values[3:4], values[4:5]) == 1
    assert ulps(values[1:2], np.nextafter(values[1:2], 0)) == 1
    small = np.arange(16, dtype="uint8").view(ml_dtypes.float4_e2m1fn)
    assert ulps(small[:-1], small[1:]).tolist()[:7] == [1] * 7
    assert ulps(small[15:], small[7:8]).tolist() == [15]
