"""Values that are equal after rounding, under different names."""

from pathlib import Path

import ml_dtypes
import numpy as np

from ckptcheck.arrays import Array
from tests.checkpoints.bundles import Value
from tests.filetools.differing import between, drawn, said


def half(value: Array) -> Array:
    return value.astype(ml_dtypes.bfloat16)


def test_a_rounded_value_under_a_different_name(tmp_path: Path) -> None:
    a: dict[str, Value] = {"kernel": drawn(4, 3), "other": drawn(4, 3, seed=1)}
    b: dict[str, Value] = {"weight": half(drawn(4, 3)), "new": half(drawn(4, 3, seed=2))}
    for folder, left, right in (("1", a, b), ("2", b, a)):
        found = between(tmp_path / folder, left, right)
        (pair,) = found.elsewhere
        assert {pair.a.name, pair.b.name} == {"kernel", "weight"}
        assert pair.cast is not None
        assert (pair.cast.rounds, len(found.only_a), len(found.only_b)) == (True, 1, 1)
    assert said(found)[:16] == [
        "Different: 1 of 1 tensor in both checkpoints (bfloat16 in A, float32 in B, equal after rounding), 1 under different names, 1 only in A, 1 only in B.",
        "",
        "Only in A:",
        "name  kind    type",
        "new   weight  bfloat16[4,3]",
        "",
        "Only in B:",
        "name   kind    type",
        "other  weight  float32[4,3]",
        "",
        "Equal after rounding under different names, compared below by their names in A:",
        "A       B",
        "weight  kernel",
        "",
        "Different type: bfloat16 in A, float32 in B.",
        "name    shape  values",
    ]


def test_a_value_that_rounds_to_another(tmp_path: Path) -> None:
    narrow = half(drawn(4, 3))
    narrow[0, 0] = 3
    assert not between(tmp_path, {"kernel": drawn(4, 3)}, {"weight": narrow}).elsewhere


def test_ambiguous_values_are_not_paired(tmp_path: Path) -> None:
    value, near = drawn(4, 3), drawn(4, 3) * np.float32(1 + 2.0**-22)
    assert (half(value) == half(near)).all()
    found = between(tmp_path / "a", {"x": value, "y": near}, {"z": half(value)})
    assert (found.elsewhere, len(found.only_a)) == ([], 2)
    types: dict[str, Value] = {"u": half(value), "v": half(value).astype("float64")}
    found = between(tmp_path / "b", {"x": half(value).astype("float32")}, types)
    assert (found.elsewhere, len(found.only_b)) == ([], 2)


def test_constants_and_single_numbers_are_not_paired(tmp_path: Path) -> None:
    a: dict[str, Value] = {"x": np.zeros(4, "float32"), "rate": np.array(0.001, "float32")}
    b: dict[str, Value] = {"y": half(np.zeros(4)), "eps": np.array(0.001)}
    assert not between(tmp_path, a, b).elsewhere
