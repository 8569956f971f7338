"""Values of one tensor with two element types."""

import math
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from ckptcheck.arrays import Array
from ckptcheck.filetools.casts import CastDifference
from tests.filetools.differing import between, drawn, one, said

BF16 = np.dtype(ml_dtypes.bfloat16)
WIDE = np.array([1.0, 1 / 3, -2.7, 1e-3], "float32")


def cast(folder: Path, a: Array, b: Array) -> CastDifference | None:
    """Compare two values both ways."""
    found, turned = one(folder / "1", a, b), one(folder / "2", b, a)
    assert found.what == turned.what == "dtype"
    assert repr(found.cast) == repr(turned.cast)
    return found.cast


@pytest.mark.parametrize("name", ["bfloat16", "float16", "float8_e5m2", "float8_e4m3fn"])
def test_a_rounded_value(name: str, tmp_path: Path) -> None:
    narrow = WIDE.astype(np.dtype(getattr(ml_dtypes, name, name)))
    most = float(np.abs(narrow.astype("float64") - WIDE).max())
    assert cast(tmp_path, WIDE, narrow) == CastDifference(rounds=True, absolute=most)
    changed = narrow.copy()
    changed[3] = 0.5
    assert cast(tmp_path, WIDE, changed) == CastDifference(
        rounds=False, absolute=max(most, 0.5 - float(WIDE[3]))
    )


def test_one_unit_in_the_last_place_is_no_rounding(tmp_path: Path) -> None:
    narrow = WIDE.astype(BF16)
    (narrow.view("uint16"))[1] += 1
    found = cast(tmp_path, WIDE, narrow)
    assert found is not None
    assert not found.rounds


def test_ties_to_even(tmp_path: Path) -> None:
    tie = np.array([1 + 2.0**-8, 1 + 3 * 2.0**-8], "float32")
    assert cast(tmp_path, tie, np.array([1, 1 + 2.0**-6], BF16)) == CastDifference(True, 2.0**-8)
    assert cast(tmp_path, tie, np.array([1 + 2.0**-7] * 2, BF16)) == CastDifference(False, 2.0**-8)


def test_double_precision_through_single(tmp_path: Path) -> None:
    """PyTorch rounds float64 to float32 first, NumPy does not."""
    wide = np.array([1 + 2.0**-11 + 2.0**-40, 0.1])
    narrow = wide.astype("float16")
    through = wide.astype("float32").astype("float16")
    assert narrow[0] != through[0]
    for either in (narrow, through):
        found = cast(tmp_path, wide, either)
        assert found is not None
        assert found.rounds


def test_a_widened_value_is_equal(tmp_path: Path) -> None:
    narrow = WIDE.astype(BF16)
    found = cast(tmp_path, narrow.astype("float32"), narrow)
    assert found == CastDifference(rounds=True, absolute=0)
    assert found.is_exact


def test_types_of_as_many_bits(tmp_path: Path) -> None:
    """The value of either may be the rounded one."""
    half = WIDE.astype("float16")
    for other in (half.astype(BF16), (half.astype(BF16)).astype("float16").astype(BF16)):
        found = cast(tmp_path, half, other)
        assert found is not None
        assert found.rounds
    assert cast(tmp_path, half, (half * 2).astype(BF16)) != CastDifference(True, 0)


def test_what_is_not_finite(tmp_path: Path) -> None:
    wide = np.array([math.nan, math.inf, -math.inf], "float32")
    assert cast(tmp_path, wide, wide.astype("float16")) == CastDifference(True, 0)
    large = np.array([1e6], "float32")  # beyond float16
    with np.errstate(over="ignore"):
        assert cast(tmp_path, large, large.astype("float16")) == CastDifference(False, math.inf)
    lost = cast(tmp_path, np.array([1.0, math.nan], "float32"), np.ones(2, BF16))
    assert lost is not None
    assert (lost.rounds, math.isnan(lost.absolute)) == (False, True)


def test_integers(tmp_path: Path) -> None:
    counts = np.array([3, -1, 7])
    assert cast(tmp_path, counts, counts.astype("int32")) == CastDifference(True, 0)
    assert cast(tmp_path, counts, np.array([3, -1, 9], "int32")) == CastDifference(False, 2)
    assert cast(tmp_path, np.array([True, False]), np.array([1, 0])) == CastDifference(True, 0)
    assert cast(tmp_path, np.array([255]), np.array([-1], "int8")) == CastDifference(False, 256)


def test_numbers_of_different_sorts_are_not_compared(tmp_path: Path) -> None:
    assert cast(tmp_path, np.array([1, 2]), np.array([1.0, 2.0])) is None
    assert cast(tmp_path, np.array([1.0]), np.array([1.0 + 0j])) is None
    assert one(tmp_path, drawn(3), drawn(4).astype("float64")).cast is None


def test_a_large_tensor(tmp_path: Path) -> None:
    """Chunks of one size hold different numbers of elements of the two types."""
    wide = drawn(700_001)
    narrow = wide.astype(BF16)
    assert (found := cast(tmp_path, wide, narrow)) is not None
    assert found.rounds
    narrow[-1] = 100
    assert cast(tmp_path, wide, narrow) == CastDifference(False, 100 - float(wide[-1]))


def test_text_of_rounded_tensors(tmp_path: Path) -> None:
    a = {"w": WIDE, "zeros": np.zeros((2, 3), "float32"), "step": np.array(3)}
    b = {"w": WIDE.astype(BF16), "zeros": np.zeros((2, 3), BF16), "step": np.array(3)}
    assert said(between(tmp_path, {**a}, {**b}), 80)[:7] == [
        "Different: 2 of 3 tensors in both checkpoints (float32 in A, bfloat16 in B,",
        "equal after rounding).",
        "",
        "Different type: float32 in A, bfloat16 in B.",
        "name   shape  values",
        "w      [4]    equal after rounding",
        "zeros  [2,3]  equal",
    ]


def test_text_of_differing_tensors(tmp_path: Path) -> None:
    a = {"w": WIDE, "x": np.ones(2, "float32"), "y": np.zeros(2, "float32"), "z": np.array(3)}
    nan = np.array([math.nan, 1], BF16)
    b = {"w": WIDE.astype(BF16), "x": nan, "y": np.full(2, 0.5, BF16), "z": np.array(3, "int32")}
    assert said(between(tmp_path, {**a}, {**b}), 80)[:12] == [
        "Different: 4 of 4 tensors in both checkpoints.",
        "",
        "Different type: float32 in A, bfloat16 in B.",
        "name  shape  values",
        "x     [2]    differ in NaN",
        "y     [2]    differ by 0.5",
        "w     [4]    equal after rounding",
        "",
        "Different type: int64 in A, int32 in B.",
        "name  shape  values",
        "z            equal",
        "",
    ]


def test_json_of_a_cast(tmp_path: Path) -> None:
    found = between(tmp_path, {"x": np.ones(2)}, {"x": np.array([1, math.inf], "float32")})
    (pair,) = found.to_dict()["different"]
    assert (pair["differs_in"], pair["b"]) == ("dtype", {"dtype": "float32", "shape": [2]})
    assert pair["values"] == {"equal": False, "equal_after_rounding": False, "absolute": "inf"}
    other = between(tmp_path, {"x": np.ones(2)}, {"x": np.ones(3)})
    assert other.to_dict()["different"][0]["values"] is None
