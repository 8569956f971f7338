"""The formats that are known. A new one is a file or a folder here, with a `Format` in it, and an entry below."""

from ckptcheck.checkpoints.format import Format
from ckptcheck.checkpoints.keras.format import ARCHIVE, HDF5
from ckptcheck.checkpoints.tensor_bundle.format import TENSOR_BUNDLE

FORMATS: tuple[Format, ...] = (TENSOR_BUNDLE, ARCHIVE, HDF5)
