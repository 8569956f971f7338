"""The kind of a tensor in a file, inferred from its name: no file records a tensor's role."""

import re

from ckptcheck import kinds
from ckptcheck.checkpoints.checkpoint import Entry
from ckptcheck.kinds import Kind

_STEP = re.compile(r"(global_|local_|train_)?step")


def is_step(entry: Entry) -> bool:
    """Return whether a tensor is a single integer whose name says step."""
    return is_counter(entry) and bool(_STEP.fullmatch(re.split(r"[./]", entry.name)[-1]))


def is_counter(entry: Entry) -> bool:
    """Return whether a tensor is a single integer."""
    return entry.dtype is not None and entry.dtype.kind in "iu" and not entry.shape


def by_name(entry: Entry, name: str) -> Kind:
    """Return a tensor's kind, inferred from a name, the element type and the shape."""
    return kinds.by_name(name, entry.dtype.kind if entry.dtype is not None else "", not entry.shape)
