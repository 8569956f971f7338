"""Match the tensors of a resumed run that have different names in the control: renamed layers.

A name is no state. Matched tensors are compared like all others: a wrong match is a difference.
"""

from collections import ChainMap
from collections.abc import Mapping, Sequence

from ckptcheck.job.protocol import Tensor
from ckptcheck.run.digests import digest
from ckptcheck.run.snapshots import Snapshot


def match(control: Sequence[Snapshot], resumed: Sequence[Snapshot]) -> Mapping[str, str]:
    """Return the control's names of the resumed run's renamed tensors, by their new names.

    Args:
        control, resumed: snapshots at the same points of both runs, not all with the same tensors.
    """
    # Each tensor by name, with its first value.
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
    """Pair names by equal values, the rest in the order of both runs."""
    waiting = {name: digest(ours[name].value) for name in left}
    names = {}
    for name in right:
        value = digest(theirs[name].value)
        same = next((candidate for candidate, its in waiting.items() if its == value), None)
        if same is not None:
            names[name] = same
            del waiting[same]
    return names | dict(zip((name for name in right if name not in names), waiting, strict=True))
