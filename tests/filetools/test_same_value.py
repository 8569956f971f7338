"""Tensors that have the value of a different tensor."""

from pathlib import Path

import numpy as np

from ckptcheck.filetools.diff_text import text
from tests.checkpoints.bundles import Value
from tests.filetools.differing import TENSORS, between, drawn


def test_renamed_tensors(tmp_path: Path) -> None:
    b = {f"{name}/{number}": value for number, (name, value) in enumerate(TENSORS.items())}
    found = between(tmp_path, TENSORS, b)
    assert [(each.a.name, each.b.name) for each in found.renamed] == [
        ("dense/kernel", "dense/kernel/0"),
        ("dense/kernel/Adam", "dense/kernel/Adam/1"),
        ("norm/moving_mean", "norm/moving_mean/2"),
        ("texts", "texts/4"),
    ]
    # A single number may be equal by chance.
    assert [[each.name for each in side] for side in (found.only_a, found.only_b)] == [
        ["global_step"],
        ["global_step/3"],
    ]
    assert found.exit_code == 1


def test_a_constant_tensor_is_never_renamed(tmp_path: Path) -> None:
    found = between(tmp_path, {"gamma": np.ones(8, "float32")}, {"variance": np.ones(8, "float32")})
    assert not found.renamed


def test_swapped_tensors(tmp_path: Path) -> None:
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


def test_the_value_of_an_unchanged_tensor(tmp_path: Path) -> None:
    """A restore loaded the averages into the weights: the averages themselves are unchanged."""
    a: dict[str, Value] = {"w": drawn(5), "w/ExponentialMovingAverage": drawn(5, seed=1)}
    found = between(tmp_path, a, a | {"w": a["w/ExponentialMovingAverage"]})
    assert [(pair.a.name, pair.value_origin) for pair in found.different] == [
        ("w", "w/ExponentialMovingAverage")
    ]


def test_many_renamed_tensors(tmp_path: Path) -> None:
    """Checksums match them: comparing all pairs would take 16 million comparisons."""
    a: dict[str, Value] = {f"a{number}": np.array([number, -1]) for number in range(4000)}
    b: dict[str, Value] = {f"b{number}": value for number, value in enumerate(a.values())}
    found = between(tmp_path, a, b)
    assert len(found.renamed) == 4000
    assert all(each.a.name[1:] == each.b.name[1:] for each in found.renamed)


def test_a_copy_of_a_tensor_that_both_have(tmp_path: Path) -> None:
    """A tied output layer, which safetensors leaves out."""
    a: dict[str, Value] = {"embed": drawn(5), "ones": np.ones(5, "float32")}
    more: dict[str, Value] = {"head": drawn(5), "gamma": np.ones(5, "float32"), "new": drawn(5, 7)}
    found = between(tmp_path, a | more, a)
    assert (found.copies_a, found.copies_b) == ({"head": "embed"}, {})
    assert "head is a copy of embed in A." in list(text(found, None))
