"""Pairs of different checkpoints, and their `diff`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ckptcheck.arrays import Array
from ckptcheck.filetools.diff import CheckpointDiff, TensorDiff, diff
from ckptcheck.filetools.diff_text import text
from tests.checkpoints.bundles import Value, write


def drawn(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


TENSORS: dict[str, Value] = {
    "dense/kernel": drawn(40, 5),
    "dense/kernel/Adam": drawn(40, 5, seed=1),
    "norm/moving_mean": drawn(5, seed=2),
    "global_step": np.array(7),
    "texts": [b"one", b"two"],
}


def between(
    folder: Path, a: Mapping[str, Value], b: Mapping[str, Value], **options: Any
) -> CheckpointDiff:
    return diff(write(folder / "a", a), write(folder / "b", b), **options)


def said(found: CheckpointDiff, wide: int | None = None) -> list[str]:
    """The text without the headings of both checkpoints."""
    lines = list(text(found, wide))
    return lines[lines.index("") + 1 :]


def one(folder: Path, a: Value, b: Value, **options: Any) -> TensorDiff:
    """Compare two checkpoints with one tensor, and return its difference."""
    (pair,) = between(folder, {"x": a}, {"x": b}, **options).pairs
    return pair


GRID = drawn(6, 8)

ROWS = [((0, 2), (0, 8)), ((2, 4), (0, 8))]

OTHER_ROWS = [((0, 5), (0, 8)), ((5, 1), (0, 8))]

SQUARES = [((0, 3), (0, 4)), ((0, 3), (4, 4)), ((3, 3), (0, 4)), ((3, 3), (4, 4))]

COLUMNS = [((0, 6), (0, 3)), ((0, 6), (3, 5))]

CUTS = {
    "rows": ROWS,
    "other rows": OTHER_ROWS,
    "squares": SQUARES,
    "columns": COLUMNS,
    "whole": [((0, 6), (0, 8))],
}
