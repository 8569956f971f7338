"""The rows of a drill as cases, which every report can show."""

from dataclasses import replace

from ckptcheck.drills.drilled import BEGAN_ANEW, LOST_WORK, Cut, Row
from ckptcheck.outcomes import DIVERGED, INCONCLUSIVE, RECOVERED
from ckptcheck.report.case import Case

_WHOLE_SAVES = (
    "Write each save to a temporary name beside its own, flush and os.fsync it, then os.replace "
    "it: a kill then leaves the last save or the new one, never a part. Delete old saves only "
    "after that."
)
_SYNCED = (
    "Before a file is renamed onto its name, call file.flush() and os.fsync(file.fileno()), and "
    "os.fsync of its folder after that: else a power failure may keep the name and lose the data."
)
_KEPT = (
    "Write each save to a temporary name beside its own, and os.replace it only once every write, "
    "flush and close has succeeded. Delete or change what is older only after that, and let an "
    "error of the save end the command or be reported."
)
_ADVICE = {Cut.IN_SAVE: _WHOLE_SAVES, Cut.POWER: _SYNCED, Cut.FAULT: _KEPT}


def case_of(row: Row, command: str) -> Case:
    """Return a row as a case, with an outcome that every report knows."""
    known = {LOST_WORK: RECOVERED, BEGAN_ANEW: DIVERGED}
    outcome = known.get(row.outcome, row.outcome)
    if row.outcome == LOST_WORK and not row.is_good:
        outcome = DIVERGED
    case = row.case or Case(command, row.point, RECOVERED, outcome)
    did = f"After the fault, {row.noticed.text}." if row.noticed and not row.is_good else ""
    reason = " ".join(filter(None, [did, row.reason]))
    notes = () if row.is_good else _notes(row)
    return replace(case, boundary=None, outcome=outcome, reason=reason or None, notes=notes)


def _notes(row: Row) -> tuple[str, ...]:
    """Return what `fsck` found in what lay there, and how to save so that it cannot happen."""
    found = [f"fsck: {each.what}, {each.where}: {each.effect}" for each in row.findings]
    remedies = [each.remedy for each in row.case.diagnoses] if row.case else []
    is_said = any("os.replace" in each for each in remedies) and row.cut is Cut.IN_SAVE
    if row.outcome == INCONCLUSIVE or row.cut not in _ADVICE or is_said:
        return tuple(found)
    return (*found, f"{row.cut.value}: {_ADVICE[row.cut]}")
