"""The kinds of variables in Keras files."""

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np

from ckptcheck.checkpoints import open_checkpoint
from ckptcheck.filetools.fsck import fsck
from ckptcheck.filetools.fsck_findings import LOOK
from ckptcheck.kinds import Kind
from tests.checkpoints.keras.files import KERNEL, archive, weights


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


def test_a_config_identifies_batch_norm(tmp_path: Path) -> None:
    layer = {"class_name": "BatchNormalization", "config": {"name": "batch_normalization"}}
    found = open_checkpoint(archive(tmp_path / "model.keras", {"config": {"layers": [layer]}}))
    assert found.format == "Keras 3, model.save"
    assert [found.entries[f"norm/vars/{number}"].kind for number in range(4)] == [
        Kind.WEIGHT
    ] * 2 + [Kind.MOVING_STATISTIC] * 2
    assert found.value(found.entries["layers/dense/vars/0"]).tolist() == KERNEL.tolist()


def averages(file: h5py.File) -> None:
    """Save Adam with use_ema: averages come before the slots."""
    del file["optimizer/vars/2"]
    shapes = [(2, 3), (3,), (3,), (3,)]
    for number, shape in enumerate([*shapes, *shapes, *shapes]):
        file[f"optimizer/vars/{number + 2}"] = np.zeros(shape, "float32")


def test_averages_and_gradients_of_an_optimizer(tmp_path: Path) -> None:
    """Only a config identifies them; without one, they count as slots."""
    inside = weights(tmp_path / "model.weights.h5", averages)
    plain = open_checkpoint(inside)
    assert {plain.entries[f"optimizer/vars/{number}"].kind for number in range(2, 14)} == {
        Kind.SLOT
    }
    config = {
        "compile_config": {
            "optimizer": {
                "class_name": "Adam",
                "config": {"use_ema": True, "gradient_accumulation_steps": 4},
            }
        }
    }
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as file:
        file.writestr("config.json", json.dumps(config))
        file.writestr("model.weights.h5", inside.read_bytes())
    found = open_checkpoint(tmp_path / "model.keras")
    kinds = [found.entries[f"optimizer/vars/{number}"].kind for number in range(14)]
    assert kinds == [
        Kind.COUNTER,
        Kind.HYPERPARAMETER,
        *[Kind.SHADOW] * 4,
        *[Kind.ACCUMULATOR] * 4,
        *[Kind.SLOT] * 4,
    ]


def test_a_file_from_before_keras_3(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file["model_weights/bn/bn/gamma:0"] = np.zeros(3, "float32")
        file["model_weights/bn/bn/moving_mean:0"] = np.zeros(3, "float32")
        file["optimizer_weights/adam/iteration"] = np.int64(3)
        file["optimizer_weights/iterations:0"] = np.float32(3)
        file["optimizer_weights/adam/learning_rate"] = np.float32(0.1)
        file["optimizer_weights/adam/bn_gamma_momentum"] = np.zeros(3, "float32")
    found = open_checkpoint(tmp_path / "old.h5")
    assert found.format == "Keras, HDF5 of model.save"
    assert {key.rpartition("/")[2]: each.kind for key, each in found.entries.items()} == {
        "gamma:0": Kind.WEIGHT,
        "moving_mean:0": Kind.MOVING_STATISTIC,
        "iteration": Kind.COUNTER,
        "iterations:0": Kind.COUNTER,
        "learning_rate": Kind.HYPERPARAMETER,
        "bn_gamma_momentum": Kind.SLOT,
    }


def test_a_file_that_holds_nothing(tmp_path: Path) -> None:
    """As Keras 2 wrote for a model without weights."""
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([], "S1")
        file.attrs["keras_version"] = b"2.2.4"
        file.attrs["backend"] = b"tensorflow"
    found = open_checkpoint(path)
    assert (found.format, dict(found.entries)) == ("Keras 2, HDF5 of model.save_weights", {})
    (finding,) = fsck(path).findings
    assert (finding.grade, finding.what, finding.effect) == (
        LOOK,
        "The checkpoint holds no tensors",
        "a restore changes nothing, or raises",
    )


def test_a_file_of_an_unknown_program(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = np.zeros(3)
    assert open_checkpoint(tmp_path / "data.h5").format == "HDF5 of an unknown program"
