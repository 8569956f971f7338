"""How two checkpoints differ: every kind of difference planted, and found as what it is."""

import json
import math
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from ckptcheck import Tolerance, UsageError
from ckptcheck.checkpoints import CHUNK, DamagedError
from ckptcheck.checkpoints.reader import checksum, joined
from ckptcheck.filetools import parallel as side_by_side
from ckptcheck.filetools.diff import CheckpointDiff, TensorDiff, diff
from ckptcheck.filetools.tolerances import tolerances
from ckptcheck.filetools.value_diff import ulps
from ckptcheck.job import Kind
from tests.checkpoints import bundles
from tests.checkpoints.bundles import Value, write, write_sliced


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


TENSORS: dict[str, Value] = {
    "dense/kernel": drawn(40, 5),
    "dense/kernel/Adam": drawn(40, 5, seed=1),
    "norm/moving_mean": drawn(5, seed=2),
    "global_step": np.array(7),
    "texts": [b"one", b"two"],
}


def between(folder: Path, a: dict[str, Value], b: dict[str, Value], **options: Any) -> CheckpointDiff:
    return diff(write(folder / "a", a), write(folder / "b", b), **options)


def one(folder: Path, a: Value, b: Value, **options: Any) -> TensorDiff:
    """Compare two checkpoints of one tensor that differs, or is the same within a tolerance."""
    (pair,) = between(folder, {"x": a}, {"x": b}, **options).pairs
    return pair


def test_the_same(tmp_path: Path) -> None:
    found = between(tmp_path, TENSORS, TENSORS)
    assert (found.same, found.exit_code, len(found.pairs), found.different) == (True, 0, 5, [])
    assert found.of_kinds()[Kind.SLOT] == {"same": 1, "different": 0, "renamed": 0, "only in A": 0, "only in B": 0}


def test_one_number(tmp_path: Path) -> None:
    a = np.array([[1.0, -4.0], [2.0, 0.5]], "float32")
    b = a.copy()
    b[1, 0] = np.nextafter(np.float32(2), np.float32(3))
    found = one(tmp_path, a, b).difference
    assert found is not None
    assert (found.differing, found.absolute, found.at, found.ulp, found.scale, found.nan) == (1, 2.0**-22, (1, 0), 1, 4.0, 0)
    assert (found.relative, found.share) == (2.0**-23, 2.0**-24)


@pytest.mark.parametrize("place", [0, CHUNK // 4 - 1, CHUNK // 4, 3 * CHUNK // 4 + 17, 999_999])
def test_one_number_anywhere_in_a_large_tensor(place: int, tmp_path: Path) -> None:
    a = np.ones((1000, 1000), "float32")
    b = a.copy()
    b.reshape(-1)[place] = 3
    found = one(tmp_path, a, b).difference
    assert found is not None
    assert (found.differing, found.absolute, found.at) == (1, 2.0, (place // 1000, place % 1000))


def test_on_several_cores_as_on_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a = {f"t{number}": drawn(600, 400, seed=number) for number in range(12)}
    b = {name: value.copy() for name, value in a.items()}
    for number in (3, 7, 8):
        b[f"t{number}"][number, number] += number
    found = between(tmp_path, a, b)
    monkeypatch.setattr(side_by_side, "WORTH_IT", math.inf)
    alone = between(tmp_path, a, b)
    assert found.to_dict() == alone.to_dict()
    assert [(pair.a.name, pair.difference and pair.difference.at) for pair in found.different] == [
        ("t8", (8, 8)),
        ("t7", (7, 7)),
        ("t3", (3, 3)),
    ]


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
    assert (found.differing, found.absolute, found.relative, found.at, found.scale) == (1, 1, 1, (2,), 1)
    assert (found.ulp is None) == ("float" not in name)


def test_whole_numbers_are_exact(tmp_path: Path) -> None:
    """Two counters that are one number as float64."""
    high = np.array([2**63 - 1, -(2**63)])
    found = one(tmp_path, high, np.array([2**63 - 2, 2**63 - 1])).difference
    assert found is not None
    assert (found.differing, found.absolute, found.at) == (2, 2**64 - 1, (1,))
    found = one(tmp_path, high, np.array([2**63 - 2, -(2**63)])).difference
    assert found is not None
    assert (found.differing, found.absolute) == (1, 1)


def test_minus_zero_is_another_number(tmp_path: Path) -> None:
    found = one(tmp_path, np.zeros(2, "float32"), np.array([0.0, -0.0], "float32")).difference
    assert found is not None
    assert (found.differing, found.absolute, found.relative, found.ulp, found.at, found.share) == (1, 0.0, 0.0, 1, (1,), 0.0)


def nan(bits: int) -> np.float32:
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
    assert one(tmp_path, a, c, tolerance=Tolerance(rtol=0.9, atol=1e30, equal_nan=True)).what == "value"


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


def test_what_is_within_the_tolerance_does_not_count(tmp_path: Path) -> None:
    found = one(tmp_path, np.array([1.0, 1.0, 1.0]), np.array([1.01, 1.2, 1.0]), tolerance=Tolerance(atol=0.1)).difference
    assert found is not None
    assert (found.differing, found.at) == (1, (1,))


def test_tolerances_of_kinds(tmp_path: Path) -> None:
    b = TENSORS | {name: TENSORS[name] * np.float32(1.001) for name in ("dense/kernel", "dense/kernel/Adam")}  # type: ignore[operator]
    overall, by_kind = tolerances(["slot=0.01"], [], False)
    assert [pair.a.name for pair in between(tmp_path, TENSORS, b, tolerance=overall, by_kind=by_kind).different] == [
        "dense/kernel"
    ]
    overall, by_kind = tolerances(["0.01", "moving-statistic=0"], [], False)
    assert between(tmp_path, TENSORS, b, tolerance=overall, by_kind=by_kind).same


def test_tolerances_that_are_none() -> None:
    assert tolerances(["1e-3"], ["moving_statistic=2"], True) == (
        Tolerance(1e-3, 0.0, True),
        {Kind.MOVING_STATISTIC: Tolerance(1e-3, 2.0, True)},
    )
    with pytest.raises(UsageError, match=r"^--rtol takes a number, or a kind and a number such as slot=1e-6, not 'much'\.$"):
        tolerances(["much"], [], False)
    with pytest.raises(UsageError, match=r"^There is no kind of tensors called 'slots'\. Did you mean slot\?"):
        tolerances(["slots=1"], [], False)
    with pytest.raises(UsageError, match="A tolerance is not negative"):
        tolerances([], ["weight=-1"], False)


def test_names_types_and_shapes(tmp_path: Path) -> None:
    b = {name: value for name, value in TENSORS.items() if name != "global_step"}
    b |= {"dense/kernel": drawn(40, 4), "norm/moving_mean": np.zeros(5, "float64"), "new": np.array(1)}
    found = between(tmp_path, TENSORS, b)
    assert [(pair.a.name, pair.what) for pair in found.different] == [("norm/moving_mean", "dtype"), ("dense/kernel", "shape")]
    assert [[each.name for each in side] for side in (found.only_a, found.only_b)] == [["global_step"], ["new"]]
    assert found.exit_code == 1


def test_text(tmp_path: Path) -> None:
    found = one(tmp_path, [b"one", b"two"], [b"one", b"too"]).difference
    assert found is not None
    assert (found.differing, found.absolute, found.at) == (1, None, (1,))


def test_empty_tensors(tmp_path: Path) -> None:
    assert one(tmp_path, np.zeros((0, 3), "float32"), np.zeros((0, 3), "float32")).what == "same"
    assert one(tmp_path, [], []).what == "same"
    assert one(tmp_path, np.zeros((0, 3), "float32"), np.zeros((3, 0), "float32")).what == "shape"


def test_a_tensor_under_another_name(tmp_path: Path) -> None:
    b = {f"model/{name}": value for name, value in TENSORS.items()}
    found = between(tmp_path, TENSORS, b)
    assert [(each.a.name, each.b.name) for each in found.renamed] == [
        (name, f"model/{name}") for name in sorted(TENSORS) if name != "global_step"
    ]
    # A number tells nothing.
    assert [[each.name for each in side] for side in (found.only_a, found.only_b)] == [["global_step"], ["model/global_step"]]
    assert found.exit_code == 1


def test_what_is_one_number_all_over_has_no_other_name(tmp_path: Path) -> None:
    found = between(tmp_path, {"gamma": np.ones(8, "float32")}, {"variance": np.ones(8, "float32")})
    assert not found.renamed


def test_tensors_in_each_others_place(tmp_path: Path) -> None:
    a: dict[str, Value] = {
        "mean": drawn(5),
        "variance": drawn(5, seed=1),
        "other": drawn(5, seed=2),
        "ones": np.ones(5, "float32"),
    }
    b: dict[str, Value] = a | {"mean": a["variance"], "variance": a["mean"], "other": a["ones"]}
    found = between(tmp_path, a, b)
    assert {pair.a.name: pair.value_origin for pair in found.different} == {
        "mean": "variance",
        "variance": "mean",
        "other": "",
    }


def test_a_value_of_what_has_not_changed(tmp_path: Path) -> None:
    """A restore that put the averages into the weights: the averages are the same in both."""
    a: dict[str, Value] = {"w": drawn(5), "w/ExponentialMovingAverage": drawn(5, seed=1)}
    found = between(tmp_path, a, a | {"w": a["w/ExponentialMovingAverage"]})
    assert [(pair.a.name, pair.value_origin) for pair in found.different] == [("w", "w/ExponentialMovingAverage")]


GRID = drawn(6, 8)
ROWS = [((0, 2), (0, 8)), ((2, 4), (0, 8))]
OTHER_ROWS = [((0, 5), (0, 8)), ((5, 1), (0, 8))]
SQUARES = [((0, 3), (0, 4)), ((0, 3), (4, 4)), ((3, 3), (0, 4)), ((3, 3), (4, 4))]
COLUMNS = [((0, 6), (0, 3)), ((0, 6), (3, 5))]
CUTS = {"rows": ROWS, "other rows": OTHER_ROWS, "squares": SQUARES, "columns": COLUMNS, "whole": [((0, 6), (0, 8))]}


@pytest.mark.parametrize("left", CUTS)
@pytest.mark.parametrize("right", CUTS)
def test_partitioned_variables(left: str, right: str, tmp_path: Path) -> None:
    changed = GRID.copy()
    changed[4, 5] += 100
    a = write_sliced(tmp_path / "a", "x", GRID, CUTS[left])
    assert diff(a, write_sliced(tmp_path / "same", "x", GRID, CUTS[right])).same
    (pair,) = diff(a, write_sliced(tmp_path / "b", "x", changed, CUTS[right])).different
    assert pair.difference is not None
    assert (pair.difference.differing, pair.difference.at) == (1, (4, 5))
    assert diff(a, write(tmp_path / "in one", {"x": GRID})).same
    assert diff(write(tmp_path / "in one", {"x": changed}), a).exit_code == 1


def test_grids_that_begin_alike_and_are_cut_otherwise(tmp_path: Path) -> None:
    a, b = np.array([[1, 2], [3, 4]], "float32"), np.array([[1, 2], [3, 99]], "float32")
    left = write_sliced(tmp_path / "a", "x", a, [((0, 1), (0, 1)), ((0, 2), (1, 1)), ((1, 1), (0, 1))])
    right = write_sliced(tmp_path / "b", "x", b, [((0, 1), (0, 1)), ((0, 1), (1, 1)), ((1, 1), (0, 2))])
    (pair,) = diff(left, right).different
    assert pair.difference is not None
    assert (pair.difference.differing, pair.difference.absolute, pair.difference.at) == (1, 95, (1, 1))


def test_the_other_byte_order_is_no_difference(tmp_path: Path) -> None:
    swapped = GRID.astype(">f4")
    rows, _ = bundles.rows_and_data({"x": swapped.view("<f4")})
    Path(f"{tmp_path / 'b'}.data-00000-of-00001").write_bytes(swapped.tobytes())
    Path(f"{tmp_path / 'b'}.index").write_bytes(bundles.index(rows, bundles.header(big_endian=True)))
    assert diff(write(tmp_path / "a", {"x": GRID}), tmp_path / "b").same


@pytest.mark.parametrize("cut", ["whole", "rows"])
def test_what_is_damaged_alike_is_not_the_same(cut: str, tmp_path: Path) -> None:
    """A copy of a corrupt checkpoint: no byte differs, and no value is known."""
    for name in ("a", "b"):
        write_sliced(tmp_path / name, "x", GRID, CUTS[cut])
        data = tmp_path / f"{name}.data-00000-of-00001"
        data.write_bytes(data.read_bytes()[:-1] + b"\7")
    with pytest.raises(DamagedError, match=r"tensor x: its 1?[0-9]+ bytes do not have the checksum that the index holds"):
        diff(tmp_path / "a", tmp_path / "b")


def test_what_is_damaged_on_one_side_is_no_difference(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a", TENSORS), write(tmp_path / "b", TENSORS)
    data = Path(f"{b}.data-00000-of-00001")
    data.write_bytes(b"\7" + data.read_bytes()[1:])
    with pytest.raises(DamagedError, match=r"b\.data-00000-of-00001, byte 0, tensor dense/kernel: its 800 bytes do not have"):
        diff(a, b)


def test_json(tmp_path: Path) -> None:
    a: dict[str, Value] = {
        "x": np.array([1.0, 2.0]),
        "y": np.array([math.nan]),
        "z": np.zeros(2),
        "t": [b"a"],
        "old": drawn(3),
    }
    b: dict[str, Value] = {"x": np.array([1.0, 2.5]), "y": np.array([1.0]), "z": np.ones(2), "t": [b"b"], "new": drawn(3)}
    found = json.loads(between(tmp_path, a, b).to_json(), parse_constant=lambda name: pytest.fail(name))
    assert found["same"] is False
    assert found["renamed"] == [{"a": "old", "b": "new"}]
    assert [each["name"] for each in found["different"]] == ["y", "z", "x", "t"]
    assert found["different"][2] == {
        "name": "x",
        "kind": "weight",
        "dtype": "float64",
        "shape": [2],
        "differs_in": "value",
        "elements": 2,
        "differing": 1,
        "absolute": 0.5,
        "absolute_of_largest": 0.25,
        "relative": 0.25,
        "ulp": 1 << 50,
        "at": [1],
        "nan": 0,
        "has_the_value_of": None,
    }
    assert found["different"][0]["absolute"] == "nan"
    assert found["different"][1]["relative"] == "inf"


def test_ulp() -> None:
    values = np.array([-math.inf, -1.0, -0.0, 0.0, 5e-324, 1.0])
    assert ulps(values[2:3], values[3:4]) == 1
    assert ulps(values[3:4], values[4:5]) == 1
    assert ulps(values[1:2], np.nextafter(values[1:2], 0)) == 1
    small = np.arange(16, dtype="uint8").view(ml_dtypes.float4_e2m1fn)
    assert ulps(small[:-1], small[1:]).tolist()[:7] == [1] * 7
    assert ulps(small[15:], small[7:8]).tolist() == [15]


def test_joined_checksums() -> None:
    whole = np.random.default_rng(0).bytes(1 << 20)
    for at in (0, 1, 511, 1 << 19, 1 << 20):
        first, second = checksum(whole[:at]), checksum(whole[at:])
        assert joined(first, second, len(whole) - at) == checksum(whole)


def test_many_tensors_under_other_names(tmp_path: Path) -> None:
    """By their checksums, not each with each: that would be 16 million comparisons."""
    a: dict[str, Value] = {f"a{number}": np.array([number, -1]) for number in range(4000)}
    b: dict[str, Value] = {f"b{number}": value for number, value in enumerate(a.values())}
    found = between(tmp_path, a, b)
    assert len(found.renamed) == 4000
    assert all(each.a.name[1:] == each.b.name[1:] for each in found.renamed)
