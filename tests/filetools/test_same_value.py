"""Tensors that have the value of another one."""

from pathlib import Path

import numpy as np

from tests.checkpoints.bundles import Value
from tests.filetools.differing import TENSORS, between, drawn


def test_a_tensor_under_another_name(tmp_path: Path) -> None:
    b = {f"model/{name}": value for name, value in TENSORS.items()}
    found = between(tmp_path, TENSORS, b)
    assert [(each.a.name, each.b.name) for each in found.renamed] == [
        (name, f"model/{name}") for name in sorted(TENSORS) if name != "global_step"
    ]
    # A number tells nothing.
    assert [[each.name for each in side] for side in (found.only_a, found.only_b)] == [
        ["global_step"],
        ["model/global_step"],
    ]
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
    assert [(pair.a.name, pair.value_origin) for pair in found.different] == [
        ("w", "w/ExponentialMovingAverage")
    ]


def test_many_tensors_under_other_names(tmp_path: Path) -> None:
    """By their checksums, not each with each: that would be 16 million comparisons."""
    a: dict[str, Value] = {f"a{number}": np.array([number, -1]) for number in range(4000)}
    b: dict[str, Value] = {f"b{number}": value for number, value in enumerate(a.values())}
    found = between(tmp_path, a, b)
    assert len(found.renamed) == 4000
    assert all(each.a.name[1:] == each.b.name[1:] for each in found.renamed)
