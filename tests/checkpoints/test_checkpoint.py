"""Values by name, and shapes beyond the limits of NumPy."""

from pathlib import Path

import numpy as np
import pytest

from ckptcheck.checkpoints import open_checkpoint
from tests.checkpoints.bundles import Row, write
from tests.checkpoints.refusals import ROW, TENSOR, refusal


def test_a_huge_empty_shape(tmp_path: Path) -> None:
    prefix = write(tmp_path / "forged", {}, weight=Row(1, [0, 1 << 62]))
    assert (
        refusal(prefix)
        == "P.data-00000-of-00001, tensor weight: shape [0, 4611686018427387904] exceeds NumPy's limits."
    )


def test_more_dimensions_than_numpy_supports(tmp_path: Path) -> None:
    row = Row(1, [1] * 70, size=4, checksum=ROW.checksum)
    assert "shape [1, 1, 1" in refusal(write(tmp_path / "forged", TENSOR, deep=row, weight=row))


def test_a_value_by_its_name(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write(tmp_path / "model", TENSOR))
    np.testing.assert_array_equal(checkpoint["weight"], TENSOR["weight"])
    with pytest.raises(KeyError, match="wieghts: no such tensor; similar: weight"):
        checkpoint["wieghts"]
    assert "Entry(" not in repr(checkpoint)
