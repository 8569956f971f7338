"""Checkpoint files, read without their frameworks, for `filetools` and for rules on crash images.

`open_checkpoint(path)` resolves a path and returns a `Checkpoint`: tensors by key, read in chunks
of at most `CHUNK` bytes. Nothing in a file is ever executed. `formats.FORMATS` lists all formats:
V2 bundles of `tf.train.Saver` and `tf.train.Checkpoint` (`tensor_bundle/`), V1 checkpoints
(`tensor_slices/`), Keras files (`keras/`). `first_bytes` says what any other file is.
"""

from ckptcheck.checkpoints.checkpoint import Checkpoint, Entry, Piece
from ckptcheck.checkpoints.errors import DamagedError
from ckptcheck.checkpoints.find import find, open_checkpoint
from ckptcheck.checkpoints.format import Format, Location
from ckptcheck.checkpoints.reader import CHUNK

__all__ = [
    "CHUNK",
    "Checkpoint",
    "DamagedError",
    "Entry",
    "Format",
    "Location",
    "Piece",
    "find",
    "open_checkpoint",
]
