"""Base class for custom TensorFlow 2 training loops saved with `tf.train.Checkpoint`."""

from ckptcheck.adapters.tensorflow.checkpoint import CheckpointJob as CheckpointJob
from ckptcheck.adapters.tensorflow.checkpoint import restore_checkpoint as restore_checkpoint
