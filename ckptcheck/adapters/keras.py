"""For Keras 3: the base class of jobs that train with `fit`, and a callback that seals saves."""

from ckptcheck.adapters.tensorflow.fit import FitJob as FitJob
from ckptcheck.adapters.tensorflow.seal_saves import SealSaves as SealSaves
