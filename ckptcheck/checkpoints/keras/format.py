"""The formats of Keras: `.keras` archives, and HDF5.

Their reader is imported on first use: its imports take a tenth of a command's start-up time.
"""

from pathlib import Path

from ckptcheck.checkpoints.checkpoint import Checkpoint
from ckptcheck.checkpoints.format import Format


def _open(path: Path) -> Checkpoint:
    from ckptcheck.checkpoints.keras import file  # see above

    return file.open_archive(path) if path.name.endswith(".keras") else file.open_weights(path)


class _Hdf5(Format):
    def refusal(self, file: Path) -> str:
        if file.name.endswith(".weights.json"):
            return (
                f"{file} is the index of sharded Keras weights; name one of its .weights.h5 files."
            )
        return ""


ARCHIVE = Format("Keras archive", (".keras",), _open)
HDF5 = _Hdf5("HDF5", (".h5", ".hdf5"), _open, has_checksums=False)
