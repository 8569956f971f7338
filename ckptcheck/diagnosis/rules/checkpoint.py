"""The checkpoint as a whole: nothing was restored, a different one, or one saved too early."""

from collections.abc import Iterator, Sequence

from ckptcheck.comparison.comparison import TensorComparison
from ckptcheck.comparison.value_origin import ANEW, FRESH, INITIAL, OLDER
from ckptcheck.diagnosis.catalogue import diagnosis
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.diagnosis.findings import Findings, counted_off, names, stage_of_all
from ckptcheck.kinds import Kind


def nothing_restored(findings: Findings) -> Iterator[Diagnosis]:
    """Nothing restored: no tensor proves a restore, and no other cause says more."""
    if not findings.nothing_left:
        return
    moved = findings.poisoned
    initial = sum(row.origin.what in (INITIAL, FRESH, ANEW) for row in moved)
    # Tensors that cannot prove a restore are lost, too.
    lost = dict.fromkeys([*names(moved), *names(findings.open)])
    cause = "nothing-restored" if initial == len(moved) else "initialised-again"
    yield diagnosis(cause, list(lost), stage_of_all(moved), count=len(moved), initial=initial)


def older(findings: Findings) -> Iterator[Diagnosis]:
    """Tensors with the control's values at an earlier save, and others that may have them."""
    rows = findings.open
    for step in dict.fromkeys(row.origin.older for row in rows if row.origin.what == OLDER):
        yield _of_step(step, [row for row in rows if row.origin.older == step], findings)


def _of_step(
    step: int | None, restored: Sequence[TensorComparison], findings: Findings
) -> Diagnosis:
    newest = sum(map(_is_of_newest_save, findings.boundary))
    known = [row.saved_so for row in restored if row.kind is not Kind.PYTHON]
    are_few = newest > len(restored)
    late = are_few and False not in known  # the newest checkpoint holds no newer value
    return diagnosis(
        "updated-after-save" if late else "older-checkpoint",
        names(restored),
        count=len(restored),
        total=len(findings.boundary),
        older=step,
        boundary=findings.comparison.first_step[0],
        what="Their checkpoint" if are_few else "The checkpoint that was read",
    )


def _is_of_newest_save(row: TensorComparison) -> bool:
    """Return whether a tensor proves that its value was restored, and is the newest."""
    return row.equal and row.poisoned and row.control_moves and row.kind is not Kind.METRIC


def of_unseen_step(findings: Findings) -> Iterator[Diagnosis]:
    """A checkpoint of a step at which the control was not looked at, as its own counter says.

    Every weight that differs has a value that the checkpoint holds and no process began with.
    """
    restored = [row for row in findings.open if row.as_saved and row.origin.what == ""]
    weights = findings.open_of(Kind.WEIGHT)
    counts = {counted_off(row) for row in restored if row.kind is Kind.COUNTER}
    off = counts.pop() if len(counts) == 1 else None
    if off and off < 0 and weights and all(row in restored for row in weights):
        yield _of_step(findings.comparison.first_step[0] + off, restored, findings)
