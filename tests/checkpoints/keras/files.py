"""Keras 3 files, made with h5py and zipfile, and the refusals to read them."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from ckptcheck.checkpoints import DamagedError, open_checkpoint

KERNEL = np.arange(6, dtype="float32").reshape(2, 3)


def weights(path: Path, fill: Callable[[h5py.File], object] | None = None) -> Path:
    """Write the weights of a model with a dense layer, and batch norm as an attribute."""
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


def archive(path: Path, config: object = None, compression: int = zipfile.ZIP_STORED) -> Path:
    inside = weights(path.with_suffix(".h5"))
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("config.json", json.dumps(config or {}))
        file.writestr("model.weights.h5", inside.read_bytes())
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
