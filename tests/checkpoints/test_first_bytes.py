"""What a file is, by its first bytes, wherever it is refused."""

import gzip
import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ckptcheck import UsageError
from ckptcheck.checkpoints import DamagedError, find, open_checkpoint
from ckptcheck.checkpoints.checksums import checksum, masked
from ckptcheck.filetools.diff import diff
from ckptcheck.filetools.fsck import fsck
from ckptcheck.filetools.inspect import inspect
from tests.checkpoints.bundles import write
from tests.checkpoints.keras.files import archive, weights

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
OTHERS = "ckptcheck reads checkpoints of TensorFlow, Keras and PyTorch only"
PAGE = "download it again: a server sent this page instead of the file"
AGAIN = "copy or download it again"


def zipped(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name in names:
            file.writestr(name, b"content")
    return content.getvalue()


def tarred() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as file:
        file.addfile(tarfile.TarInfo("model/variables"))
    return content.getvalue()


def array() -> bytes:
    content = io.BytesIO()
    np.save(content, np.zeros(2))
    return content.getvalue()


def record(data: bytes = b"event") -> bytes:
    size = len(data).to_bytes(8, "little")
    return size + masked(checksum(size)).to_bytes(4, "little") + data


def safetensors() -> bytes:
    head = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return len(head).to_bytes(8, "little") + head + bytes(4)


# For a file called `F`: its content, what it is, and what to do.
CONTENTS: dict[str, tuple[bytes, str, str]] = {
    "nothing": (b"", "empty", f"{AGAIN}; if a save was interrupted, restore an older checkpoint that is whole"),
    "zeros": (bytes(5000), "filled with zeros, at least at its start", f"{AGAIN}: space was reserved, but the copy was interrupted"),
    "pointer": (POINTER, "a Git LFS pointer", "fetch the real file: git lfs pull --include F"),
    "page": (b"\n <!DOCTYPE html><html><title>Sign in</title>", "a web page (HTML)", PAGE),
    "error": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "an XML text, as servers send for an error", PAGE),
    "pytorch": (zipped("archive/data.pkl", "archive/data/0"), "a PyTorch checkpoint (zip)", "rename it to F.pt"),
    "npz": (zipped("a.npy", "b.npy"), "a NumPy archive (.npz)", "read it with numpy.load"),
    "zip": (zipped("model/saved_model.pb"), "a zip archive", "unpack it first: unzip F"),
    "torn zip": (zipped("model/saved_model.pb")[:40], "a zip archive, truncated or corrupt", AGAIN),
    "tar": (tarred(), "a tar archive", "unpack it first: tar xf F"),
    "gzip": (gzip.compress(b"content"), "compressed (gzip)", "unpack it first: gunzip F"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(20), "compressed (Zstandard)", "unpack it first: unzstd F"),
    "npy": (array(), "a NumPy array (.npy)", "read it with numpy.load"),
    "pickle": (pickle.dumps({"w": [1]}, 2), "a Python pickle, as PyTorch before 1.6 saved", "load it with torch.load, and save it again with torch.save"),
    "safetensors": (safetensors(), "a safetensors file", "rename it to F.safetensors"),
    "events": (record(), "a TFRecord file, such as a TensorBoard event file", OTHERS),
}  # fmt: skip


def message(path: Path, act: Callable[[Path], object]) -> str:
    with pytest.raises((DamagedError, UsageError)) as caught:
        act(path)
    return str(caught.value).replace(str(path), path.name)


@pytest.mark.parametrize("what", CONTENTS)
@pytest.mark.parametrize(
    ("name", "expected"),
    [("F.keras", "a Keras archive"), ("F.h5", "HDF5"), ("F.index", "an index"), ("F", "")],
)
def test_a_refusal_says_what_a_file_is(name: str, expected: str, what: str, tmp_path: Path) -> None:
    if what == "pytorch" and not expected:
        pytest.skip("such a file is opened, whatever its name")
    content, is_, remedy = CONTENTS[what]
    path = tmp_path / name
    if not remedy.startswith("rename"):
        remedy = remedy.replace(" F", f" {name}")
    elif name == "F.index":
        remedy = remedy.replace(" F", " F.index")
    path.write_bytes(content)
    if name == "F.index":  # as an index without data would be some other program's
        (tmp_path / "F.data-00000-of-00001").touch()
    if not expected:
        sentence = f"F is {is_}: {remedy}."
    elif what in ("nothing", "zeros"):
        sentence = f"{name}: the file is {is_}; {remedy}."
    elif what.startswith("torn") and name == "F.keras":
        sentence = "F.keras: the zip archive is truncated or corrupt: File is not a zip file."
    else:
        held = {"pytorch": "archive/data.pkl, archive/data/0", "npz": "a.npy, b.npy", "zip": "model/saved_model.pb"}  # fmt: skip
        inside = f": it holds {held[what]}" if name == "F.keras" and what in held else ""
        sentence = f"{name}: the file is {is_}, not {expected}{inside}; {remedy}."
    for act in (open_checkpoint, inspect, lambda each: diff(each, each)):
        assert message(path, act) == sentence
    if not expected:
        assert message(path, fsck) == sentence
        return
    (finding,) = [each for each in fsck(tmp_path).findings if each.grade == "wrong"]
    told = f"{path}: {finding.what[:1].lower()}{finding.what[1:]}"
    assert told.replace(str(path), name) == sentence.partition("; ")[0].removesuffix(".")
    if what != "torn zip":
        assert finding.remedy == remedy
    assert "delete" not in finding.remedy


def test_data_that_are_a_pointer(tmp_path: Path) -> None:
    """After a clone without Git LFS, every large file is a pointer."""
    prefix = write(tmp_path / "model.ckpt-1", {"w": np.arange(90.0)})
    data = Path(f"{prefix}.data-00000-of-00001")
    data.write_bytes(POINTER)
    remedy = f"fetch the real file: git lfs pull --include {data.name}"
    found = open_checkpoint(prefix)
    with pytest.raises(DamagedError) as caught:
        found.value(found.entries["w"])
    assert str(caught.value) == f"{data}, tensor w: the file is a Git LFS pointer; {remedy}."
    finding = fsck(prefix).findings[0]
    assert (finding.what, finding.remedy) == (
        "The file is a Git LFS pointer: 1 tensor beyond its end (w)",
        remedy,
    )


def test_a_pointer_in_place_of_an_index_deletes_nothing(tmp_path: Path) -> None:
    prefix = write(tmp_path / "model.ckpt-1", {"w": np.arange(90.0)})
    Path(f"{prefix}.index").write_bytes(POINTER)
    (finding, *others) = fsck(tmp_path).findings
    assert (finding.what, finding.remedy, others) == (
        "The file is a Git LFS pointer, not an index",
        "fetch the real file: git lfs pull --include model.ckpt-1.index",
        [],
    )


def test_a_checkpoint_under_a_foreign_name(tmp_path: Path) -> None:
    names = {
        weights(tmp_path / "a.h5").rename(tmp_path / "weights.bin"): "an HDF5 file: rename it to weights.bin.h5",
        archive(tmp_path / "b.keras").rename(tmp_path / "model.h5.zip"): "a Keras archive (zip): rename it to model.h5.zip.keras",
    }  # fmt: skip
    for path, sentence in names.items():
        assert message(path, find) == f"{path.name} is {sentence}."
    hidden = " ".join(f"{path.name} is {sentence}." for path, sentence in sorted(names.items(), reverse=False))  # fmt: skip
    assert message(tmp_path, fsck) == (
        f"The folder {tmp_path.name} has no checkpoint to check, and no part of one. {hidden}"
    )
