"""What a checkpoint of TensorFlow, or a file of Keras, holds, whoever saved it."""

import io
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorflow as tf

from ckptcheck.run.digests import digest


def contents(reader: Any) -> tuple[list[str], list[str]]:
    """Return the keys of a checkpoint, and the digests of its arrays: of all but text and serialised objects.

    Args:
        reader: what `tf.train.load_checkpoint` returns.
    """
    types = reader.get_variable_to_dtype_map()
    held = sorted(types)
    arrays = [key for key in held if types[key] not in (tf.string, tf.variant, tf.resource)]
    return held, [digest(np.asarray(reader.get_tensor(key))) for key in arrays]


def values_in(path: Path) -> list[str]:
    """Return the digest of every array in a file of Keras: HDF5, or a zip file that holds one; none, where there is no file.

    `ckptcheck.checkpoints` finds the same, but in a process of its own, in case the file is damaged: thirty times as long. The
    restore reads the file by the same library in any case.
    """
    digests: list[str] = []

    def take(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            digests.append(digest(np.asarray(item)))

    if path.is_file():
        source = (
            io.BytesIO(zipfile.ZipFile(path).read("model.weights.h5"))
            if zipfile.is_zipfile(path)
            else path
        )
        with h5py.File(source, "r") as file:
            file.visititems(take)
    return digests
