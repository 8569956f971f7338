"""Which kind a tensor of a checkpoint is, as far as names can tell: a file says what it is called, not what it is for."""

import re

from ckptcheck import kinds
from ckptcheck.checkpoints.checkpoint import Entry
from ckptcheck.kinds import Kind

_STEP = re.compile(r"(global_|local_|train_)?step")


def is_step(entry: Entry) -> bool:
    """Return whether a tensor is a whole number that is called a step."""
    return is_counter(entry) and bool(_STEP.fullmatch(re.split(r"[./]", entry.name)[-1]))


def is_counter(entry: Entry) -> bool:
    """Return whether a tensor is a single whole number."""
    return entry.dtype is not None and entry.dtype.kind in "iu" and not entry.shape


def by_name(entry: Entry, name: str) -> Kind:
    """Return the kind that a name tells of a tensor, and its element type and shape."""
    return kinds.by_name(name, entry.dtype.kind if entry.dtype is not None else "", not entry.shape)
