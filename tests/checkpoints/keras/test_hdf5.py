"""HDF5 files, read and refused; a crash or endless loop of HDF5 stays in its process."""

from collections.abc import Callable
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np
import pytest

from ckptcheck.checkpoints import open_checkpoint
from ckptcheck.checkpoints.errors import NotReadableError
from ckptcheck.checkpoints.keras import hdf5
from tests.checkpoints.keras.files import KERNEL, refusal, weights


def test_types(tmp_path: Path) -> None:
    values = {
        "big": np.arange(3, dtype=">f8"),
        "flags": np.array([True, False]),
        "complex": np.array([1 + 2j]),
        "empty": np.zeros((0, 3), "float32"),
        "long": np.arange(300_000, dtype="int64").reshape(3, 50_000, 2),
    }

    def fill(file: h5py.File) -> None:
        for key, each in values.items():
            file[key] = each
        file["brain"] = np.array([1.5, -2], ml_dtypes.bfloat16)
        file["brain"].attrs["dtype"] = "bfloat16"
        file.create_dataset("texts", data=["one", "", "drei…"], dtype=h5py.string_dtype())

    found = open_checkpoint(weights(tmp_path / "types.weights.h5", fill))
    for key, each in values.items():
        assert found.value(found.entries[key]).tolist() == each.tolist(), key
    assert found.value(found.entries["brain"]).tolist() == [1.5, -2]
    assert found.value(found.entries["texts"]).tolist() == [b"one", b"", "drei…".encode()]


def test_values_in_other_files_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"\1" * 24)

    def fill(file: h5py.File) -> None:
        file.create_dataset("stolen", (6,), "float32", external=[(str(secret), 0, 24)])

    path = weights(tmp_path / "external.h5", fill)
    assert (
        refusal(path) == "F, tensor stolen: its values are in other files, which Keras never does."
    )

    links = {
        "elsewhere": h5py.ExternalLink(str(path), "layers"),
        "around": h5py.SoftLink("/"),
        "lost": h5py.SoftLink("/nowhere"),
    }
    for name, link in links.items():

        def add(file: h5py.File, name: str = name, link: object = link) -> None:
            file[name] = link

        linked = weights(tmp_path / "linked.h5", add)
        assert refusal(linked) == f"F, tensor {name}: it links elsewhere, which Keras never does."


def test_one_value_under_two_names_is_two_tensors(tmp_path: Path) -> None:
    found = open_checkpoint(
        weights(
            tmp_path / "two.h5", lambda file: file.__setitem__("again", file["layers/dense/vars/0"])
        )
    )
    assert found.value(found.entries["again"]).tolist() == KERNEL.tolist()


def test_groups_with_a_cycle(tmp_path: Path) -> None:
    path = weights(
        tmp_path / "round.h5", lambda file: file.__setitem__("layers/up", file["layers"])
    )
    assert refusal(path) == "F, tensor layers/up: it links elsewhere, which Keras never does."


def test_groups_without_end(tmp_path: Path) -> None:
    """Each of 30 groups contains the next one twice, which makes 2^30 paths."""

    def fill(file: h5py.File) -> None:
        for number in range(30):
            group, following = (
                file.require_group(f"g{number}"),
                file.require_group(f"g{number + 1}"),
            )
            group["a"], group["b"] = following, following

    assert (
        refusal(weights(tmp_path / "many.h5", fill))
        == "F: HDF5 cannot read the file: there are more groups than in any Keras file."
    )


REFUSED: dict[str, tuple[Callable[[h5py.File], object], str]] = {
    "records": (
        lambda file: file.create_dataset("x", data=np.zeros(1, [("a", "f4"), ("b", "f4")])),
        "F, tensor x: its element type [('a', '<f4'), ('b', '<f4')] is not one that Keras writes.",
    ),
    "nothing": (
        lambda file: file.create_dataset("x", data=h5py.Empty("f4")),
        "F, tensor x: it has no shape.",
    ),
    "huge chunks": (
        lambda file: file.create_dataset("x", (1 << 40,), "f4", chunks=(1 << 29,)),
        "F, tensor x: it is stored in chunks of [536870912], which Keras never does.",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_content_that_keras_never_writes(what: str, tmp_path: Path) -> None:
    fill, sentence = REFUSED[what]
    path = weights(tmp_path / "odd.h5", fill)
    with pytest.raises(NotReadableError):
        open_checkpoint(path)
    assert refusal(path) == sentence


def test_data_that_was_never_written(tmp_path: Path) -> None:
    """HDF5 fills in unwritten data: a file of a few kB would fill any memory."""
    path = weights(tmp_path / "huge.h5", lambda file: file.create_dataset("x", (1 << 40,), "f4"))
    assert "bytes are expected at byte 0" in refusal(path)


def test_a_file_that_is_not_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    path.write_bytes(b"nothing of the kind")
    assert (
        refusal(path)
        == "F: HDF5 cannot read the file: Unable to synchronously open file (file signature not found)."
    )
    content = weights(path).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert refusal(path).startswith("F: HDF5 cannot read the file: ")


def test_a_crash_of_hdf5_stays_in_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, child = weights(tmp_path / "model.weights.h5"), tmp_path / "child.py"
    child.write_text("import os; os.abort()")
    monkeypatch.setattr(hdf5, "CHILD", child)
    assert refusal(path) == "F: HDF5 crashed while reading (exit status -6): the file is corrupt."


def test_a_loop_in_hdf5_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, child = weights(tmp_path / "model.weights.h5"), tmp_path / "child.py"
    child.write_text("import time; time.sleep(100)")
    monkeypatch.setattr(hdf5, "CHILD", child)
    monkeypatch.setattr(hdf5, "PATIENCE", 0.2)
    assert refusal(path) == "F: HDF5 did not finish reading within 0.2 s: the file is corrupt."


def test_no_process_is_left_behind(tmp_path: Path) -> None:
    found = hdf5.Hdf5(
        weights(tmp_path / "model.weights.h5"), 0, (tmp_path / "model.weights.h5").stat().st_size
    )
    process = found._process
    assert process.poll() is None
    del found
    assert process.returncode == -9
