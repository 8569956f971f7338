"""The text of `fsck`: every finding, errors first, and the verdict."""

from collections.abc import Iterator

from ckptcheck.counts import counted
from ckptcheck.filetools.fsck import Check
from ckptcheck.filetools.fsck_findings import LOOK, UNKNOWN, WRONG
from ckptcheck.filetools.tables import size, wrapped

_TITLES = {
    WRONG: "Errors: a restore fails or is wrong.",
    UNKNOWN: "Not checked:",
    LOOK: "Warnings:",
}


def text(check: Check, strict: bool, wide: int | None) -> Iterator[str]:
    """Yield the lines, broken at `wide` characters, see `wrapped`; `strict`: warnings fail, too."""
    for grade, title in _TITLES.items():
        findings = [finding for finding in check.findings if finding.grade == grade]
        if findings:
            yield title
        for finding in findings:
            yield from wrapped(f"  {finding.what}.", wide, 2)
            yield from wrapped(f"    where:  {finding.where}", wide, 12)
            yield from wrapped(f"    effect: {finding.effect}", wide, 12)
            yield from wrapped(f"    fix:    {finding.remedy}", wide, 12)
            yield ""
    for note in check.notes:
        yield from wrapped(note, wide)
    counts = f"{counted(len(check.checkpoints), 'checkpoint')}, {counted(check.tensors, 'tensor')}"
    yield f"{_verdict(check, strict)}: {counts}, {size(check.bytes)} read."


def _verdict(check: Check, strict: bool) -> str:
    grades = [finding.grade for finding in check.findings]
    if not grades:
        return "Whole"
    warnings = counted(grades.count(LOOK), "warning")
    if set(grades) == {LOOK} and not strict:
        return f"Whole, with {warnings}"
    counts = {
        WRONG: counted(grades.count(WRONG), "error"),
        UNKNOWN: f"{grades.count(UNKNOWN):,} not checked",
        LOOK: warnings,
    }
    return ", ".join(counts[grade] for grade in _TITLES if grade in grades)
