"""The difference of two whole checkpoints."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from ckptcheck.kinds import Kind
from tests.checkpoints.bundles import Value
from tests.filetools.differing import TENSORS, between, drawn, said


def test_the_same(tmp_path: Path) -> None:
    found = between(tmp_path, TENSORS, TENSORS)
    assert (found.same, found.exit_code, len(found.pairs), found.different) == (True, 0, 5, [])
    assert found.of_kinds()[Kind.SLOT] == {
        "same": 1,
        "different": 0,
        "renamed": 0,
        "only in A": 0,
        "only in B": 0,
    }


def test_names_types_and_shapes(tmp_path: Path) -> None:
    b = {name: value for name, value in TENSORS.items() if name != "global_step"}
    b |= {
        "dense/kernel": drawn(40, 4),
        "norm/moving_mean": np.zeros(5, "float64"),
        "new": np.array(1),
    }
    found = between(tmp_path, TENSORS, b)
    assert [(pair.a.name, pair.what) for pair in found.different] == [
        ("norm/moving_mean", "dtype"),
        ("dense/kernel", "shape"),
    ]
    assert [[each.name for each in side] for side in (found.only_a, found.only_b)] == [
        ["global_step"],
        ["new"],
    ]
    assert found.exit_code == 1


def test_json(tmp_path: Path) -> None:
    a: dict[str, Value] = {
        "x": np.array([1.0, 2.0]),
        "y": np.array([math.nan]),
        "z": np.zeros(2),
        "t": [b"a"],
        "old": drawn(3),
    }
    b: dict[str, Value] = {
        "x": np.array([1.0, 2.5]),
        "y": np.array([1.0]),
        "z": np.ones(2),
        "t": [b"b"],
        "new": drawn(3),
    }
    found = json.loads(
        between(tmp_path, a, b).to_json(), parse_constant=lambda name: pytest.fail(name)
    )
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


def test_nothing_in_common(tmp_path: Path) -> None:
    found = between(tmp_path, {"x": drawn(3)}, {"y": drawn(4), "z": drawn(5)})
    assert said(found)[0] == "Different: no tensor in common, 1 only in A, 2 only in B."
