"""Which tensors of a resumed run are the control's under another name: those of a layer that was renamed.

A name is no state. What is matched here is compared like everything else, so that a wrong match shows as a difference.
"""

from collections.abc import Mapping, Sequence

from ckptcheck.job.protocol import Tensor
from ckptcheck.run.digests import digest
from ckptcheck.run.snapshots import Snapshot


def match(control: Sequence[Snapshot], resumed: Sequence[Snapshot]) -> Mapping[str, str]:
    """Return the control's name for each tensor that the resumed run has under a name of its own.

    Args:
        control, resumed: snapshots at the same points of both runs; each may hold tensors that the others do not.
    """
    ours, theirs = _all(control), _all(resumed)
    only_ours = {name: tensor for name, tensor in ours.items() if name not in theirs}
    only_theirs = {name: tensor for name, tensor in theirs.items() if name not in ours}
    found: dict[str, str] = {}
    for group in dict.fromkeys(_alike(each) for each in only_theirs.values()):
        left = [name for name, each in only_ours.items() if _alike(each) == group]
        right = [name for name, each in only_theirs.items() if _alike(each) == group]
        if len(left) == len(right):
            found |= _paired(left, right, only_ours, only_theirs)
    return found


def _all(snapshots: Sequence[Snapshot]) -> dict[str, Tensor]:
    """Return every tensor by name, with the first value that it has."""
    found: dict[str, Tensor] = {}
    for snapshot in snapshots:
        found = {**snapshot, **found}
    return found


def _alike(tensor: Tensor) -> tuple[str, str, tuple[int, ...]]:
    return tensor.kind.value, tensor.value.dtype.str, tensor.value.shape


def _paired(left: list[str], right: list[str], ours: Snapshot, theirs: Snapshot) -> dict[str, str]:
    """Pair names by their values; what has no equal, in the order in which both runs show it."""
    waiting = {name: digest(ours[name].value) for name in left}
    found = {}
    for name in right:
        own = digest(theirs[name].value)
        same = next((each for each, value in waiting.items() if value == own), None)
        if same is not None:
            found[name] = same
            del waiting[same]
    return found | dict(zip((name for name in right if name not in found), waiting, strict=True))
