"""Optimizers that only one of two runs holds, and that never make a step: they change nothing."""

from collections.abc import Mapping
from dataclasses import replace

from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from ckptcheck.run.run import Run
from ckptcheck.run.snapshots import Snapshot

# What belongs to an optimizer. Weights beside a counter, as in `model/step`, do not.
_OWNED = (Kind.COUNTER, Kind.SLOT, Kind.ACCUMULATOR, Kind.SHADOW, Kind.HYPERPARAMETER)


def without_idle(control: Run, resumed: Run) -> tuple[Run, Run]:
    """Return both runs without the optimizers that one of them lacks and the other never used."""
    return _without(control, resumed), _without(resumed, control)


def _without(run: Run, other: Run) -> Run:
    elsewhere = {*other.boundary, *other.final}
    idle = [
        names
        for names in _optimizers(run.final).values()
        if not elsewhere & set(names) and _has_no_step(names)
    ]
    hidden = frozenset(name for names in idle for name in names)
    return replace(run, hidden=hidden) if hidden else run


def _optimizers(snapshot: Snapshot) -> Mapping[str, Mapping[str, Tensor]]:
    """Return the tensors of each optimizer by its name: what is named like its counter."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in snapshot.items():
        owner, _, last = name.rpartition("/")
        if owner and tensor.kind is Kind.COUNTER and "iter" in last:
            found[owner] = {}
    for name, tensor in snapshot.items():
        owner = name.split("/", 1)[0]
        if owner in found and tensor.kind in _OWNED:
            found[owner][name] = tensor
    return found


def _has_no_step(tensors: Mapping[str, Tensor]) -> bool:
    return not any(tensor.value.any() for tensor in tensors.values() if tensor.kind is Kind.COUNTER)
