"""Files of Keras 3, made here by h5py and zipfile: what is read, what is refused, and that nothing in them is run."""

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np
import pytest

from ckptcheck.checkpoints import DamagedError, open_checkpoint
from ckptcheck.checkpoints.errors import NotReadableError
from ckptcheck.checkpoints.keras import hdf5
from ckptcheck.job import Kind

KERNEL = np.arange(6, dtype="float32").reshape(2, 3)


def weights(path: Path, fill: Callable[[h5py.File], None] | None = None) -> Path:
    """Write what a model with a dense layer and batch norm leaves, under an attribute of its own."""
    with h5py.File(path, "w") as file:
        dense = file.create_group("layers/dense/vars")
        dense.attrs["name"] = "dense"
        dense["0"], dense["1"] = KERNEL, np.ones(3, "float16")
        norm = file.create_group("norm/vars")
        norm.attrs["name"] = "batch_normalization"
        for number in range(4):
            norm[str(number)] = np.full(3, number, "float32")
        file["optimizer/vars/0"] = np.int64(7)
        file["optimizer/vars/1"] = np.float32(0.5)
        file["optimizer/vars/2"] = np.zeros((2, 3), "float32")
        if fill is not None:
            fill(file)
    return path


def archive(path: Path, config: object = None, compression: int = zipfile.ZIP_STORED, **others: bytes) -> Path:
    inside = weights(path.with_suffix(".h5"))
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("config.json", json.dumps(config or {}))
        file.writestr("model.weights.h5", inside.read_bytes())
        for name, content in others.items():
            file.writestr(name, content)
    inside.unlink()
    return path


def read(path: Path) -> None:
    found = open_checkpoint(path)
    for each in found.entries.values():
        found.value(each)


def refusal(path: Path) -> str:
    with pytest.raises(DamagedError) as caught:
        read(path)
    return str(caught.value).replace(str(path), "F")


def test_weights(tmp_path: Path) -> None:
    found = open_checkpoint(weights(tmp_path / "model.weights.h5"))
    assert {key: each.kind for key, each in found.entries.items()} == {
        "layers/dense/vars/0": Kind.WEIGHT,
        "layers/dense/vars/1": Kind.WEIGHT,
        "norm/vars/0": Kind.WEIGHT,
        "norm/vars/1": Kind.WEIGHT,
        "norm/vars/2": Kind.MOVING_STATISTIC,
        "norm/vars/3": Kind.MOVING_STATISTIC,
        "optimizer/vars/0": Kind.COUNTER,
        "optimizer/vars/1": Kind.HYPERPARAMETER,
        "optimizer/vars/2": Kind.SLOT,
    }
    value = found.value(found.entries["layers/dense/vars/0"])
    assert (value.dtype, value.tolist()) == (np.dtype("float32"), KERNEL.tolist())
    assert found.value(found.entries["optimizer/vars/0"]) == 7


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


def test_an_archive_tells_batch_norm_by_its_config(tmp_path: Path) -> None:
    layer = {"class_name": "BatchNormalization", "config": {"name": "batch_normalization"}}
    found = open_checkpoint(archive(tmp_path / "model.keras", {"config": {"layers": [layer]}}))
    assert found.format == "Keras 3, model.save"
    assert [found.entries[f"norm/vars/{number}"].kind for number in range(4)] == [Kind.WEIGHT] * 2 + [
        Kind.MOVING_STATISTIC
    ] * 2
    assert found.value(found.entries["layers/dense/vars/0"]).tolist() == KERNEL.tolist()


def test_nothing_in_a_config_is_run(tmp_path: Path) -> None:
    """A Lambda layer with code in it, and a class of a module that would be imported."""
    ran = tmp_path / "ran"
    code = {"class_name": "__lambda__", "config": {"code": f"open({str(ran)!r}, 'w')"}}
    layer = {"module": "antigravity", "class_name": "Lambda", "config": {"name": "x", "function": code}}
    before = set(sys.modules)
    open_checkpoint(archive(tmp_path / "model.keras", {"config": {"layers": [layer]}}))
    assert not ran.exists()
    assert "antigravity" not in set(sys.modules) - before


def test_an_archive_that_is_damaged(tmp_path: Path) -> None:
    path = archive(tmp_path / "model.keras")
    content = path.read_bytes()
    path.write_bytes(content[:-1000])
    assert refusal(path) == "F: it is no whole zip file: File is not a zip file."
    at = content.index(KERNEL.tobytes())
    path.write_bytes(content[:at] + b"\1" + content[at + 1 :])
    assert refusal(path) == "F: model.weights.h5 in it does not have its checksum: it is corrupt."
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", "{")
    assert refusal(path) == "F: it holds no model.weights.h5, only config.json."
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", "{")
        file.writestr("model.weights.h5", b"")
    assert refusal(path).startswith("F: its config.json is no JSON: ")
    path.write_bytes(b"")
    assert refusal(path) == "F: it is no whole zip file: File is not a zip file."


def test_an_archive_that_is_compressed(tmp_path: Path) -> None:
    """It could hold anything, of any size."""
    path = archive(tmp_path / "model.keras", compression=zipfile.ZIP_DEFLATED)
    assert refusal(path) == "F: its config.json is compressed, as Keras never does: zip it anew without."


def test_a_config_of_any_size_is_not_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as file:
        file.writestr("config.json", b" " * (1 << 25))
        file.writestr("model.weights.h5", b"")
    assert refusal(tmp_path / "model.keras") == "F: its config.json has 33,554,432 bytes, too many for a config."


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_with_two_of_a_name(tmp_path: Path) -> None:
    path = archive(tmp_path / "model.keras", **{"model.weights.h5": b""})
    assert refusal(path) == "F: it holds model.weights.h5 twice."


def test_values_in_other_files_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"\1" * 24)

    def fill(file: h5py.File) -> None:
        file.create_dataset("stolen", (6,), "float32", external=[(str(secret), 0, 24)])

    path = weights(tmp_path / "external.h5", fill)
    assert refusal(path) == "F, tensor stolen: its values are in other files, which no file of Keras asks for."

    links = {
        "elsewhere": h5py.ExternalLink(str(path), "layers"),
        "around": h5py.SoftLink("/"),
        "lost": h5py.SoftLink("/nowhere"),
    }
    for name, link in links.items():
        linked = weights(tmp_path / "linked.h5", lambda file, name=name, link=link: file.__setitem__(name, link))  # type: ignore[misc]
        assert refusal(linked) == f"F, tensor {name}: it leads elsewhere, as nothing in a file of Keras does."


def test_one_value_under_two_names_is_two_tensors(tmp_path: Path) -> None:
    found = open_checkpoint(weights(tmp_path / "two.h5", lambda file: file.__setitem__("again", file["layers/dense/vars/0"])))
    assert found.value(found.entries["again"]).tolist() == KERNEL.tolist()


def test_groups_that_go_round(tmp_path: Path) -> None:
    path = weights(tmp_path / "round.h5", lambda file: file.__setitem__("layers/up", file["layers"]))
    assert refusal(path) == "F, tensor layers/up: it leads elsewhere, as nothing in a file of Keras does."


def test_groups_without_end(tmp_path: Path) -> None:
    """Each of 30 groups holds the next one twice: a thousand million ways."""

    def fill(file: h5py.File) -> None:
        for number in range(30):
            group, following = file.require_group(f"g{number}"), file.require_group(f"g{number + 1}")
            group["a"], group["b"] = following, following

    assert (
        refusal(weights(tmp_path / "many.h5", fill))
        == "F: it cannot be read as HDF5: it has more groups than any file of Keras."
    )


def averages(file: h5py.File) -> None:
    """What Adam with use_ema leaves: averages before the slots."""
    del file["optimizer/vars/2"]
    shapes = [(2, 3), (3,), (3,), (3,)]
    for number, shape in enumerate([*shapes, *shapes, *shapes]):
        file[f"optimizer/vars/{number + 2}"] = np.zeros(shape, "float32")


def test_averages_and_gradients_of_an_optimizer(tmp_path: Path) -> None:
    """Told by the config alone; without one they are slots like others."""
    inside = weights(tmp_path / "model.weights.h5", averages)
    plain = open_checkpoint(inside)
    assert {plain.entries[f"optimizer/vars/{number}"].kind for number in range(2, 14)} == {Kind.SLOT}
    config = {
        "compile_config": {"optimizer": {"class_name": "Adam", "config": {"use_ema": True, "gradient_accumulation_steps": 4}}}
    }
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as file:
        file.writestr("config.json", json.dumps(config))
        file.writestr("model.weights.h5", inside.read_bytes())
    found = open_checkpoint(tmp_path / "model.keras")
    kinds = [found.entries[f"optimizer/vars/{number}"].kind for number in range(14)]
    assert kinds == [Kind.COUNTER, Kind.HYPERPARAMETER, *[Kind.SHADOW] * 4, *[Kind.ACCUMULATOR] * 4, *[Kind.SLOT] * 4]


def test_a_loss_scale(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file["optimizer/inner_optimizer/vars/0"] = np.int64(7)
        file["optimizer/inner_optimizer/vars/2"] = np.zeros(3, "float32")

    found = open_checkpoint(weights(tmp_path / "scaled.weights.h5", fill)).entries
    assert (found["optimizer/vars/0"].kind, found["optimizer/vars/1"].kind) == (Kind.LOSS_SCALE, Kind.LOSS_SCALE)
    assert (found["optimizer/inner_optimizer/vars/0"].kind, found["optimizer/inner_optimizer/vars/2"].kind) == (
        Kind.COUNTER,
        Kind.SLOT,
    )


def test_a_file_from_before_keras_3(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file["model_weights/bn/bn/gamma:0"] = np.zeros(3, "float32")
        file["model_weights/bn/bn/moving_mean:0"] = np.zeros(3, "float32")
        file["optimizer_weights/adam/iteration"] = np.int64(3)
        file["optimizer_weights/adam/learning_rate"] = np.float32(0.1)
        file["optimizer_weights/adam/bn_gamma_momentum"] = np.zeros(3, "float32")
    found = open_checkpoint(tmp_path / "old.h5")
    assert found.format == "Keras, HDF5 of model.save"
    assert {key.rpartition("/")[2]: each.kind for key, each in found.entries.items()} == {
        "gamma:0": Kind.WEIGHT,
        "moving_mean:0": Kind.MOVING_STATISTIC,
        "iteration": Kind.COUNTER,
        "learning_rate": Kind.HYPERPARAMETER,
        "bn_gamma_momentum": Kind.SLOT,
    }


REFUSED: dict[str, tuple[Callable[[h5py.File], object], str]] = {
    "records": (
        lambda file: file.create_dataset("x", data=np.zeros(1, [("a", "f4"), ("b", "f4")])),
        "F, tensor x: its elements are of the type [('a', '<f4'), ('b', '<f4')], which is none of Keras.",
    ),
    "nothing": (lambda file: file.create_dataset("x", data=h5py.Empty("f4")), "F, tensor x: it has no shape."),
    "huge chunks": (
        lambda file: file.create_dataset("x", (1 << 40,), "f4", chunks=(1 << 29,)),
        "F, tensor x: it is written in chunks of [536870912], which no file of Keras is.",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_keras_does_not_write(what: str, tmp_path: Path) -> None:
    fill, sentence = REFUSED[what]
    path = weights(tmp_path / "odd.h5", lambda file: fill(file) and None)
    with pytest.raises(NotReadableError):
        open_checkpoint(path)
    assert refusal(path) == sentence


def test_a_shape_without_values(tmp_path: Path) -> None:
    """HDF5 makes up what was never written: a file of some kB that would fill any memory."""
    path = weights(tmp_path / "huge.h5", lambda file: file.create_dataset("x", (1 << 40,), "f4") and None)
    assert "bytes from byte 0 on should be there" in refusal(path)


def test_no_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    path.write_bytes(b"nothing of the kind")
    assert refusal(path) == "F: it cannot be read as HDF5: Unable to synchronously open file (file signature not found)."
    content = weights(path).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert refusal(path).startswith("F: it cannot be read as HDF5: ")


def test_a_crash_of_hdf5_is_no_crash_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, child = weights(tmp_path / "model.weights.h5"), tmp_path / "child.py"
    child.write_text("import os; os.abort()")
    monkeypatch.setattr(hdf5, "_CHILD", child)
    assert refusal(path) == "F: HDF5 crashed reading it (status -6): it is corrupt."


def test_a_loop_in_hdf5_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, child = weights(tmp_path / "model.weights.h5"), tmp_path / "child.py"
    child.write_text("import time; time.sleep(100)")
    monkeypatch.setattr(hdf5, "_CHILD", child)
    monkeypatch.setattr(hdf5, "PATIENCE", 0.2)
    assert refusal(path) == "F: HDF5 has not read it within 0.2 s: it is corrupt."


def test_no_process_is_left(tmp_path: Path) -> None:
    found = hdf5.Hdf5(weights(tmp_path / "model.weights.h5"), 0, (tmp_path / "model.weights.h5").stat().st_size)
    process = found._process
    assert process.poll() is None
    del found
    assert process.returncode == -9
