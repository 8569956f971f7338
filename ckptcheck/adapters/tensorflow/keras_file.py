"""What a file of Keras holds, whoever saved it."""

import io
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ckptcheck.run.digests import digest


def values_in(path: Path) -> list[str]:
    """Return the digest of every array in a file of Keras: HDF5, or a zip file that holds one; none, where there is no file.

    `ckptcheck.checkpoints` finds the same values, but by a process of its own, in case the file is damaged: thirty times as
    long. Here the restore reads the file by the same library in any case.
    """
    digests: list[str] = []

    def take(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            digests.append(digest(np.asarray(item)))

    if path.is_file():
        source = io.BytesIO(zipfile.ZipFile(path).read("model.weights.h5")) if zipfile.is_zipfile(path) else path
        with h5py.File(source, "r") as file:
            file.visititems(take)
    return digests
