"""Bitwise equality of tensors: for any partition and byte order, and never for damaged ones."""

from pathlib import Path

import numpy as np
import pytest

from ckptcheck.checkpoints import DamagedError
from ckptcheck.filetools.diff import diff
from tests.checkpoints import bundles
from tests.checkpoints.bundles import write, write_sliced
from tests.filetools.differing import CUTS, GRID, TENSORS


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


def test_different_grids_with_the_same_first_piece(tmp_path: Path) -> None:
    a, b = np.array([[1, 2], [3, 4]], "float32"), np.array([[1, 2], [3, 99]], "float32")
    left = write_sliced(
        tmp_path / "a", "x", a, [((0, 1), (0, 1)), ((0, 2), (1, 1)), ((1, 1), (0, 1))]
    )
    right = write_sliced(
        tmp_path / "b", "x", b, [((0, 1), (0, 1)), ((0, 1), (1, 1)), ((1, 1), (0, 2))]
    )
    (pair,) = diff(left, right).different
    assert pair.difference is not None
    assert (pair.difference.differing, pair.difference.absolute, pair.difference.at) == (
        1,
        95,
        (1, 1),
    )


def test_byte_order_is_not_a_difference(tmp_path: Path) -> None:
    swapped = GRID.astype(">f4")
    rows, _ = bundles.rows_and_data({"x": swapped.view("<f4")})
    Path(f"{tmp_path / 'b'}.data-00000-of-00001").write_bytes(swapped.tobytes())
    Path(f"{tmp_path / 'b'}.index").write_bytes(
        bundles.index(rows, bundles.header(big_endian=True))
    )
    assert diff(write(tmp_path / "a", {"x": GRID}), tmp_path / "b").same


@pytest.mark.parametrize("cut", ["whole", "rows"])
def test_identical_damage_is_not_equality(cut: str, tmp_path: Path) -> None:
    """In a copy of a corrupt checkpoint no byte differs, but the values are unknown."""
    for name in ("a", "b"):
        write_sliced(tmp_path / name, "x", GRID, CUTS[cut])
        data = tmp_path / f"{name}.data-00000-of-00001"
        data.write_bytes(data.read_bytes()[:-1] + b"\7")
    with pytest.raises(
        DamagedError,
        match=r"tensor x: the checksum of its 1?[0-9]+ bytes does not match the index",
    ):
        diff(tmp_path / "a", tmp_path / "b")


def test_damage_on_one_side_is_an_error_not_a_difference(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a", TENSORS), write(tmp_path / "b", TENSORS)
    data = Path(f"{b}.data-00000-of-00001")
    data.write_bytes(b"\7" + data.read_bytes()[1:])
    with pytest.raises(
        DamagedError,
        match=r"b\.data-00000-of-00001, byte 0, tensor dense/kernel: the checksum of its 800 bytes does not match",
    ):
        diff(a, b)
