"""The files of Keras as formats: `.keras` archives, and HDF5.

What reads them is loaded only where there is one: its imports take a tenth of the time in which a command starts.
"""

from pathlib import Path

from ckptcheck.checkpoints.checkpoint import Checkpoint
from ckptcheck.checkpoints.format import Format


def _archive(path: Path) -> Checkpoint:
    from ckptcheck.checkpoints.keras.file import open_archive  # see above

    return open_archive(path)


def _weights(path: Path) -> Checkpoint:
    from ckptcheck.checkpoints.keras.file import open_weights  # see above

    return open_weights(path)


class _Hdf5(Format):
    def refusal(self, file: Path) -> str:
        if file.name.endswith(".weights.json"):
            return f"{file} is the list of a sharded file of Keras; give one of its .weights.h5 files."
        return ""


ARCHIVE = Format("Keras archive", (".keras",), _archive)
HDF5 = _Hdf5("HDF5", (".h5", ".hdf5"), _weights, has_checksums=False)
