"""The supported formats. To add one, add a module or folder with a `Format`, and list it below."""

from ckptcheck.checkpoints.dcp.format import DCP
from ckptcheck.checkpoints.format import Format
from ckptcheck.checkpoints.keras.format import ARCHIVE, HDF5
from ckptcheck.checkpoints.orbax.format import ORBAX
from ckptcheck.checkpoints.safetensors.format import SAFETENSORS
from ckptcheck.checkpoints.tensor_bundle.format import TENSOR_BUNDLE
from ckptcheck.checkpoints.tensor_slices.format import TENSOR_SLICES
from ckptcheck.checkpoints.torch_zip.format import TORCH_ZIP
from ckptcheck.checkpoints.training_folder import TRAINING_FOLDER

FORMATS: tuple[Format, ...] = (
    *(TENSOR_BUNDLE, TENSOR_SLICES, ARCHIVE, HDF5, TORCH_ZIP, SAFETENSORS, DCP, ORBAX),
    TRAINING_FOLDER,
)
