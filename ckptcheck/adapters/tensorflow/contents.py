"""The keys and array digests of a TensorFlow checkpoint or a Keras file."""

import io
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorflow as tf

from ckptcheck.run.digests import digest


def contents(reader: Any) -> tuple[list[str], list[str]]:
    """Return the keys of a checkpoint and the digests of its arrays.

    Text and serialised objects have no digest.

    Args:
        reader: what `tf.train.load_checkpoint` returns.
    """
    types = reader.get_variable_to_dtype_map()
    held = sorted(types)
    arrays = [key for key in held if types[key] not in (tf.string, tf.variant, tf.resource)]
    return held, [digest(np.asarray(reader.get_tensor(key))) for key in arrays]


def values_in(path: Path) -> list[str]:
    """Return the digest of every array in a Keras file: HDF5, or a zip file that holds one.

    A missing file has no digests. `ckptcheck.checkpoints` reads the same arrays thirty times
    slower, in a separate process, to survive a damaged file. The restore reads this file
    with the same library anyway.
    """
    digests: list[str] = []

    def collect(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            digests.append(digest(np.asarray(item)))

    if path.is_file():
        source = (
            io.BytesIO(zipfile.ZipFile(path).read("model.weights.h5"))
            if zipfile.is_zipfile(path)
            else path
        )
        with h5py.File(source, "r") as file:
            file.visititems(collect)
    return digests
