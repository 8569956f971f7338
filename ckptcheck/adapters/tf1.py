"""Base classes for TensorFlow 1 graphs, in a `Session` or in a `MonitoredTrainingSession`."""

from ckptcheck.adapters.tensorflow.graph import RESTORES as RESTORES
from ckptcheck.adapters.tensorflow.graph import RESTORES_WITHOUT_EMA as RESTORES_WITHOUT_EMA
from ckptcheck.adapters.tensorflow.graph import GraphJob as GraphJob
from ckptcheck.adapters.tensorflow.graph_variables import state_in as state_in
from ckptcheck.adapters.tensorflow.network import Feed as Feed
from ckptcheck.adapters.tensorflow.network import Network as Network
from ckptcheck.adapters.tensorflow.session import SessionJob as SessionJob
