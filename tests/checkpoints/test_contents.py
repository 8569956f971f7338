"""The arrays of a file: what a kill may leave of one is an error of one kind."""

import contextlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ckptcheck.checkpoints.contents import of_file


def whole() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, weights=np.arange(1000.0), step=np.array(7))
    return buffer.getvalue()


def test_a_whole_file(tmp_path: Path) -> None:
    (tmp_path / "state.npz").write_bytes(whole())
    found = {each.name: each.value for each in of_file(tmp_path / "state.npz")}
    assert found["step"] == 7
    np.testing.assert_array_equal(found["weights"], np.arange(1000.0))


def test_a_file_that_is_cut_short(tmp_path: Path) -> None:
    file, kept = tmp_path / "state.npz", whole()
    for size in range(0, len(kept), 7):
        file.write_bytes(kept[:size])
        with pytest.raises(ValueError):
            list(of_file(file))


def test_a_changed_byte_is_no_other_error(tmp_path: Path) -> None:
    file, kept = tmp_path / "state.npz", whole()
    for place in range(0, len(kept), 3):
        changed = bytearray(kept)
        changed[place] ^= 0xFF
        file.write_bytes(changed)
        with contextlib.suppress(ValueError, OSError):
            list(of_file(file))


@pytest.mark.parametrize("name", ["state.npz", "state.npy", "state.json"])
def test_an_empty_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(ValueError):
        list(of_file(tmp_path / name))


def test_an_empty_archive_holds_nothing(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "state.npz", "w"):
        pass
    assert list(of_file(tmp_path / "state.npz")) == []
