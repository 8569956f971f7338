"""Checkpoint files read without TensorFlow: V2 bundles of `tf.train.Saver` and `tf.train.Checkpoint`, files of Keras 3.

`open_checkpoint(path)` finds out which of them a path is and returns a `Checkpoint`: its tensors by key, each read in pieces
of at most `CHUNK` bytes, whatever its size. Nothing in a file is ever run.
"""

from ckptcheck.checkpoints.checkpoint import Checkpoint, Entry, Piece
from ckptcheck.checkpoints.errors import DamagedError
from ckptcheck.checkpoints.find import Found, find, open_checkpoint
from ckptcheck.checkpoints.reader import CHUNK

__all__ = ["CHUNK", "Checkpoint", "DamagedError", "Entry", "Found", "Piece", "find", "open_checkpoint"]
