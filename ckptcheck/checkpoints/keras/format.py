"""The files of Keras as formats: `.keras` archives, and HDF5.

What reads them is loaded only where there is one: its imports take a tenth of the time in which a command starts.
"""

from pathlib import Path

from ckptcheck.checkpoints.checkpoint import Checkpoint
from ckptcheck.checkpoints.format import Format


def _open(path: Path) -> Checkpoint:
    from ckptcheck.checkpoints.keras import file  # see above

    return file.open_archive(path) if path.name.endswith(".keras") else file.open_weights(path)


class _Hdf5(Format):
    def refusal(self, file: Path) -> str:
        sharded = (
            f"{file} is the list of a sharded file of Keras; give one of its .weights.h5 files."
        )
        return sharded if file.name.endswith(".weights.json") else ""


ARCHIVE = Format("Keras archive", (".keras",), _open)
HDF5 = _Hdf5("HDF5", (".h5", ".hdf5"), _open, has_checksums=False)
