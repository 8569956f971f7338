"""The registry of formats: each knows its own files, and every tool uses a new one."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ckptcheck import UsageError
from ckptcheck.checkpoints import (
    Checkpoint,
    Entry,
    Format,
    Location,
    Piece,
    find,
    formats,
    open_checkpoint,
)
from ckptcheck.checkpoints.find import checkpoints_in
from ckptcheck.checkpoints.keras.format import ARCHIVE, HDF5
from ckptcheck.checkpoints.reader import Bytes, File
from ckptcheck.checkpoints.tensor_bundle.format import TENSOR_BUNDLE
from ckptcheck.filetools.diff import diff
from ckptcheck.filetools.fsck import fsck
from ckptcheck.filetools.inspect import inspect
from ckptcheck.kinds import Kind
from tests.checkpoints.bundles import write
from tests.checkpoints.keras.files import archive, weights

VALUE = np.arange(4, dtype="float32")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint of each format."""
    write(tmp_path / "model.ckpt-10", {"x": VALUE})
    archive(tmp_path / "model.keras")
    weights(tmp_path / "model.weights.h5")
    return tmp_path


OWN = {
    "model.ckpt-10.index": ("model.ckpt-10", TENSOR_BUNDLE),
    "model.ckpt-10.data-00000-of-00001": ("model.ckpt-10", TENSOR_BUNDLE),
    "model.keras": ("model.keras", ARCHIVE),
    "model.weights.h5": ("model.weights.h5", HDF5),
}


def test_each_format_recognises_only_its_own_files(folder: Path) -> None:
    assert sorted(OWN) == sorted(file.name for file in folder.iterdir())
    for name, (checkpoint, own) in OWN.items():
        for each in formats.FORMATS:
            assert each.recognises(name) == (each is own)
            assert each.of_file(folder / name) == (
                Location(folder / checkpoint, own) if each is own else None
            )


def test_each_format_lists_and_opens_its_checkpoints(folder: Path) -> None:
    own = dict(OWN.values())
    assert checkpoints_in(folder) == [Location(folder / name, own[name]) for name in sorted(own)]
    for location in checkpoints_in(folder):
        assert location.open().entries
        assert {str(file) for file in location.format.files(location.path)} == {
            str(folder / file) for file, (name, _) in OWN.items() if name == location.path.name
        }


class Raw(Checkpoint):
    """A file that is a single float32 tensor."""

    def chunks(self, entry: Entry, piece: Piece, *, verify: bool = True) -> Iterator[Bytes]:
        return File(self.path).chunks(0, piece.size, entry.key)

    def must_hold(self, entry: Entry) -> None:
        File(self.path).must_hold(0, entry.bytes, entry.key)

    def texts(self, entry: Entry) -> list[bytes]:
        raise NotImplementedError


def open_raw(path: Path) -> Checkpoint:
    size = File(path).size
    shape = (size // 4,)
    entry = Entry(
        "x", "x", Kind.WEIGHT, "float32", VALUE.dtype, shape, (Piece((0,), shape, path, 0, size),)
    )
    return Raw(path, "raw numbers", (path,), {"x": entry})


def test_every_tool_uses_a_new_format(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "raw" / "model.raw"
    path.parent.mkdir()
    path.write_bytes(VALUE.tobytes())
    with pytest.raises(UsageError, match=r"is not a checkpoint file of a supported format: .*\."):
        find(path)
    raw = Format("raw", (".raw",), open_raw, has_checksums=False)
    monkeypatch.setattr(formats, "FORMATS", (*formats.FORMATS, raw))
    assert find(path) == Location(path, raw)
    assert find(path.parent) == Location(
        path, raw, f"the only checkpoint in {path.parent}; there is no state file"
    )
    assert (
        open_checkpoint(path).value(open_checkpoint(path).entries["x"]).tolist() == VALUE.tolist()
    )
    ((entry, statistics),) = inspect(path).tensors
    assert (entry.name, statistics.max) == ("x", 3.0)
    assert diff(path, folder / "model.ckpt-10").same
    check = fsck(path.parent)
    assert (check.checkpoints, check.tensors, check.findings) == ((path,), 1, ())
    note = (
        "raw has no checksums: damaged values in 1 file go undetected, unless each save is sealed: "
        "`ckptcheck seal`."
    )
    assert check.notes == (note,)
    (folder / "notes.txt").write_text("notes")
    with pytest.raises(
        UsageError, match=r"is not a checkpoint file of a supported format: .*, \*\.raw\.$"
    ):
        find(folder / "notes.txt")
