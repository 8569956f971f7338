"""What can be said of checkpoint files without the framework that wrote them: for people, on the command line and in Python.

`inspect` says what is in a checkpoint, `diff` how two differ, `fsck` whether those of a folder can be restored. Each returns a
value that has its JSON; what the command line prints of it is in the module of the same name with `_text` behind it.
"""

from ckptcheck.filetools.diff import CheckpointDiff, TensorDiff, diff
from ckptcheck.filetools.fsck import Check, fsck
from ckptcheck.filetools.fsck_findings import Finding
from ckptcheck.filetools.inspect import Inspection, inspect

__all__ = [
    "Check",
    "CheckpointDiff",
    "Finding",
    "Inspection",
    "TensorDiff",
    "diff",
    "fsck",
    "inspect",
]
