"""The checkpoint as a whole: nothing was restored, or a different checkpoint was."""

from collections.abc import Iterator

from ckptcheck.comparison.value_origin import FRESH, INITIAL, OLDER
from ckptcheck.diagnosis.catalogue import diagnosis
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.diagnosis.findings import Findings, names, stage_of_all


def nothing_restored(findings: Findings) -> Iterator[Diagnosis]:
    """Nothing restored: no tensor proves a restore, and no other cause says more."""
    if not findings.nothing_left:
        return
    moved = findings.poisoned
    initial = sum(row.origin.what in (INITIAL, FRESH) for row in moved)
    # Tensors that cannot prove a restore are lost, too.
    lost = dict.fromkeys([*names(moved), *names(findings.open)])
    cause = "nothing-restored" if initial == len(moved) else "initialised-again"
    yield diagnosis(cause, list(lost), stage_of_all(moved), count=len(moved), initial=initial)


def older(findings: Findings) -> Iterator[Diagnosis]:
    """Tensors with the control's values at an earlier save, and others that may have them."""
    rows, total = findings.open, len(findings.boundary)
    for step in dict.fromkeys(row.origin.older for row in rows if row.origin.what == OLDER):
        restored = [row for row in rows if row.origin.older == step]
        yield diagnosis(
            "older-checkpoint", names(restored), count=len(restored), total=total, older=step
        )
