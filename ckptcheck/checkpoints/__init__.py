"""Checkpoint files read without the framework that wrote them, for `filetools` and for rules that look into a crash image.

`open_checkpoint(path)` finds out what a path stands for and returns a `Checkpoint`: its tensors by key, each read in pieces
of at most `CHUNK` bytes, whatever its size. Nothing in a file is ever run. A format of files is a `Format`; `formats.FORMATS`
has all: V2 bundles of `tf.train.Saver` and `tf.train.Checkpoint` (`tensor_bundle/`), files of Keras 3 (`keras/`).
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
