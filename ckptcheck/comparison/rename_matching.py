"""Which tensors of a resumed run are the control's under another name: those of a layer that was renamed.

A name is no state. What is matched here is compared like everything else, so that a wrong match shows as a difference.
"""

from collections import ChainMap
from collections.abc import Mapping, Sequence

from ckptcheck.job.protocol import Tensor
from ckptcheck.run.digests import digest
from ckptcheck.run.snapshots import Snapshot


def match(control: Sequence[Snapshot], resumed: Sequence[Snapshot]) -> Mapping[str, str]:
    """Return the control's name for each tensor that the resumed run has under a name of its own.

    Args:
        control, resumed: snapshots at the same points of both runs; each may hold tensors that the others do not.
    """
    # Every tensor by name, with the first value that it has.
    ours, theirs = (ChainMap(*map(dict, snapshots)) for snapshots in (control, resumed))
    only_ours = {name: tensor for name, tensor in ours.items() if name not in theirs}
    only_theirs = {name: tensor for name, tensor in theirs.items() if name not in ours}
    names: dict[str, str] = {}
    for group in dict.fromkeys(map(_alike, only_theirs.values())):
        left = [name for name, tensor in only_ours.items() if _alike(tensor) == group]
        right = [name for name, tensor in only_theirs.items() if _alike(tensor) == group]
        if len(left) == len(right):
            names |= _paired(left, right, only_ours, only_theirs)
    return names


def _alike(tensor: Tensor) -> tuple[str, str, tuple[int, ...]]:
    return tensor.kind.value, tensor.value.dtype.str, tensor.value.shape


def _paired(left: list[str], right: list[str], ours: Snapshot, theirs: Snapshot) -> dict[str, str]:
    """Pair names by their values; what has no equal, in the order in which both runs show it."""
    waiting = {name: digest(ours[name].value) for name in left}
    names = {}
    for name in right:
        value = digest(theirs[name].value)
        same = next((candidate for candidate, its in waiting.items() if its == value), None)
        if same is not None:
            names[name] = same
            del waiting[same]
    return names | dict(zip((name for name in right if name not in names), waiting, strict=True))
