"""Layers under different numbers, paired in their order."""

from pathlib import Path

import numpy as np

from ckptcheck.filetools.diff_text import text
from tests.checkpoints.bundles import Value
from tests.filetools.differing import between, drawn


def model(*numbers: str, change: float = 0.0) -> dict[str, Value]:
    """Two dense layers of different shapes, and batch norm, under the numbers given."""
    first, second, norm = numbers
    return {
        f"dense{first}/kernel": drawn(4, 3) + np.float32(change),
        f"dense{second}/kernel": drawn(3, 2),
        f"batch_normalization{norm}/moving_mean": np.zeros(3, "float32"),
        "step": np.array(3),
    }


def test_the_second_model_of_a_process(tmp_path: Path) -> None:
    a, b = model("", "_1", ""), model("_9", "_10", "_15", change=0.5)
    found = between(tmp_path, a, b)
    assert [(pair.a.name, pair.b.name, pair.what) for pair in found.renumbered] == [
        ("batch_normalization/moving_mean", "batch_normalization_15/moving_mean", "same"),
        ("dense/kernel", "dense_9/kernel", "value"),
    ]
    assert [(pair.a.name, pair.b.name) for pair in found.renamed] == [
        ("dense_1/kernel", "dense_10/kernel")
    ]
    assert (found.only_a, found.only_b, found.exit_code) == ((), (), 1)
    lines = list(text(found, None))
    assert (
        "Different: 1 of 3 tensors in both checkpoints, 1 renamed, 2 under different numbers."
        in lines
    )
    at = lines.index("their names in A:")
    assert lines[at + 2].split() == ["batch_normalization/moving_mean", "batch_normalization_15/moving_mean"]  # fmt: skip


def test_equal_values_under_different_numbers_still_differ(tmp_path: Path) -> None:
    a, b = {"dense/bias": np.zeros(3)}, {"dense_4/bias": np.zeros(3)}
    found = between(tmp_path, {**a}, {**b})
    assert (found.same, len(found.renumbered), found.different) == (False, 1, [])
    assert found.to_dict()["renumbered"] == [{"a": "dense/bias", "b": "dense_4/bias"}]


def test_other_shapes_or_counts_are_not_paired(tmp_path: Path) -> None:
    ones = {"dense/kernel": np.zeros((4, 3)), "dense_1/kernel": np.zeros((3, 2))}
    turned = {"dense_4/kernel": np.zeros((3, 2)), "dense_5/kernel": np.zeros((4, 3))}
    fewer = {"dense_4/kernel": np.zeros((4, 3))}
    for number, others in enumerate((turned, fewer)):
        found = between(tmp_path / str(number), {**ones}, {**others})
        assert (found.renumbered, len(found.only_a)) == ([], 2)


def test_a_number_on_both_sides_is_one_layer(tmp_path: Path) -> None:
    a = {"dense/bias": np.zeros(3), "dense_1/bias": np.zeros(3)}
    b = {"dense_1/bias": np.zeros(3), "dense_2/bias": np.zeros(3)}
    found = between(tmp_path, {**a}, {**b})
    assert found.renumbered == []
    assert [entry.name for entry in (*found.only_a, *found.only_b)] == [
        "dense/bias",
        "dense_2/bias",
    ]
