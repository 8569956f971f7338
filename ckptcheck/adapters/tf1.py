"""Base class for TensorFlow 1 graphs: `Session`, `Saver` and `ema.variables_to_restore()`."""

from ckptcheck.adapters.tensorflow.graph import RESTORES as RESTORES
from ckptcheck.adapters.tensorflow.graph import RESTORES_WITHOUT_EMA as RESTORES_WITHOUT_EMA
from ckptcheck.adapters.tensorflow.graph import Feed as Feed
from ckptcheck.adapters.tensorflow.graph import GraphJob as GraphJob
from ckptcheck.adapters.tensorflow.graph import Network as Network
