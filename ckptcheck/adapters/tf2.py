"""TensorFlow 2 training loops of one's own, saved by `tf.train.Checkpoint`."""

from ckptcheck.adapters.tensorflow.checkpoint import CheckpointJob as CheckpointJob
from ckptcheck.adapters.tensorflow.checkpoint import restore_checkpoint as restore_checkpoint
