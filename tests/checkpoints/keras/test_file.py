"""Keras archives: refusals, and that nothing in them is executed."""

import sys
import zipfile
from pathlib import Path

import pytest

from ckptcheck.checkpoints import open_checkpoint
from ckptcheck.filetools.fsck import fsck
from tests.checkpoints.keras.files import KERNEL, archive, refusal, weights

EMPTY = "F: the file is empty; copy or download it again; if a save was interrupted, restore an older checkpoint that is whole."


def test_nothing_in_a_config_is_executed(tmp_path: Path) -> None:
    """A Lambda layer contains code, and a class would import its module."""
    ran = tmp_path / "ran"
    code = {"class_name": "__lambda__", "config": {"code": f"open({str(ran)!r}, 'w')"}}
    layer = {
        "module": "antigravity",
        "class_name": "Lambda",
        "config": {"name": "x", "function": code},
    }
    before = set(sys.modules)
    open_checkpoint(archive(tmp_path / "model.keras", {"config": {"layers": [layer]}}))
    assert not ran.exists()
    assert "antigravity" not in set(sys.modules) - before


def test_a_damaged_archive(tmp_path: Path) -> None:
    path = archive(tmp_path / "model.keras")
    content = path.read_bytes()
    path.write_bytes(content[:-1000])
    assert refusal(path) == "F: the zip archive is truncated or corrupt: File is not a zip file."
    at = content.index(KERNEL.tobytes())
    path.write_bytes(content[:at] + b"\1" + content[at + 1 :])
    assert refusal(path) == "F: the checksum of model.weights.h5 in the archive does not match."
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", "{")
    assert (
        refusal(path)
        == "F: the file is a zip archive, not a Keras archive: it holds config.json; unpack it first: unzip model.keras."
    )
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", "{")
        file.writestr("model.weights.h5", b"")
    assert refusal(path).startswith("F: config.json in the archive is not JSON: ")
    path.write_bytes(b"")
    assert refusal(path) == EMPTY
    path.write_bytes(b"notes")
    assert refusal(path) == "F: the file is not a zip archive, as .keras files are."


def test_a_file_with_the_ending_of_the_other_format(tmp_path: Path) -> None:
    path = weights(tmp_path / "weights.keras")
    assert (
        refusal(path)
        == "F: the file is an HDF5 file, not a Keras archive; rename it to weights.h5."
    )
    (finding,) = fsck(path).findings
    assert (finding.what, finding.remedy) == (
        "The file is an HDF5 file, not a Keras archive",
        "rename it to weights.h5",
    )
    path = archive(tmp_path / "model.keras").rename(tmp_path / "model.h5")
    assert (
        refusal(path) == "F: the file is a Keras archive (zip), not HDF5; rename it to model.keras."
    )
    path.write_bytes(b"")
    assert refusal(path) == EMPTY
    assert fsck(path).notes == ()


def test_a_compressed_archive(tmp_path: Path) -> None:
    """It could expand to any size."""
    path = archive(tmp_path / "model.keras", compression=zipfile.ZIP_DEFLATED)
    assert (
        refusal(path)
        == "F: config.json in the archive is compressed, which Keras never does; zip it again without compression."
    )


def test_a_huge_config_is_not_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as file:
        file.writestr("config.json", b" " * (1 << 25))
        file.writestr("model.weights.h5", b"")
    assert (
        refusal(tmp_path / "model.keras")
        == "F: config.json in the archive has 33,554,432 bytes, too many for a config."
    )


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_with_a_duplicate_name(tmp_path: Path) -> None:
    path = archive(tmp_path / "model.keras")
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("model.weights.h5", b"")
    assert refusal(path) == "F: the archive holds model.weights.h5 twice."
