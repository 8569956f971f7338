"""Make the checkpoints that benchmarks/files.py reads.

python benchmarks/make_checkpoints.py FOLDER
"""

import shutil
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from side_by_side import HERE

from ckptcheck.arrays import Array

sys.path.insert(0, str(HERE.parent))  # the tests are not installed
from tests.checkpoints.bundles import write_sparse
from tests.checkpoints.safetensors.writer import write

SPARSE = 8 * 10**9  # bytes in one tensor; none is written


def save(prefix: Path, tensors: Mapping[str, Array]) -> None:
    values = [tf.constant(each) for each in tensors.values()]
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(tensors),
        shape_and_slices=[""] * len(values),
        tensors=values,
    )


def save_torch(file: Path, tensors: Mapping[str, Array]) -> None:
    import torch

    torch.save({name: torch.from_numpy(value) for name, value in tensors.items()}, file)


def main() -> None:
    folder, draw = Path(sys.argv[1]), np.random.default_rng(0)
    large = {
        f"layer_{number}/kernel": draw.standard_normal((2500, 1000), np.float32)
        for number in range(100)
    }
    save(folder / "a", large)
    save(folder / "b", large)
    save(folder / "c", {name: value * np.float32(1.001) for name, value in large.items()})
    write(folder / "a.safetensors", large)
    if find_spec("torch"):
        save_torch(folder / "a.pt", large)
    for file in [*folder.glob("a.safetensors"), *folder.glob("a.pt")]:
        # PyTorch writes the name of the file into it: of two saves, no byte need be equal to `cmp`.
        shutil.copyfile(file, file.with_stem("b"))
    small = {
        f"block_{number:05d}/dense/kernel": draw.standard_normal((8, 8), np.float32)
        for number in range(12_000)
    }
    save(folder / "many", small)
    save(folder / "more", small)
    save(folder / "few", dict(list(small.items())[:20]))
    save(folder / "fewer", dict(list(small.items())[:20]))
    layers = [keras.layers.Dense(8), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile("adam", "mse")
    model.save(folder / "small.keras")
    for name in ("sparse", "sparser"):
        write_sparse(folder / name, SPARSE)


if __name__ == "__main__":
    main()
