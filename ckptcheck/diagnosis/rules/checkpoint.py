"""The checkpoint as a whole: nothing of it came back, or it is another one."""

from collections.abc import Iterator

from ckptcheck.comparison.value_origin import FRESH, INITIAL, OLDER
from ckptcheck.diagnosis.cause import Diagnosis, diagnosis
from ckptcheck.diagnosis.findings import Evidence, stage_of_all


def nothing_restored(evidence: Evidence) -> Iterator[Diagnosis]:
    """No tensor shows a restore. Then nothing else says more."""
    if not evidence.nothing_left:
        return
    moved = evidence.boundary.query("poisoned")
    initial = int(moved["equals"].isin([INITIAL, FRESH]).sum())
    # What no restore could have shown is not back either.
    names = [*moved["name"], *(name for name in evidence.open["name"] if name not in set(moved["name"]))]
    cause = "nothing-restored" if initial == len(moved) else "initialised-again"
    yield diagnosis(cause, names, stage_of_all(moved), count=len(moved), initial=initial)


def older(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tensors that are the control's at an earlier save; others that may be go with them."""
    rows = evidence.open
    for step in rows["equals_older"][rows["equals"] == OLDER].unique():
        found = rows[rows["equals_older"] == step]
        total = len(evidence.boundary)
        yield diagnosis("older-checkpoint", list(found["name"]), count=len(found), total=total, older=int(step))
