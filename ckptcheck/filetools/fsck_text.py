"""What `fsck` prints: every finding, the grave ones first, and what was read."""

from collections.abc import Iterator

from ckptcheck.filetools.fsck import Check
from ckptcheck.filetools.fsck_findings import LOOK, UNKNOWN, WRONG
from ckptcheck.filetools.tables import counted, size

_TITLES = {
    WRONG: "A restore would fail, or be wrong:",
    UNKNOWN: "Could not be checked:",
    LOOK: "Deserves a look:",
}


def text(check: Check, strict: bool) -> Iterator[str]:
    """Yield the lines; `strict`: whether what only deserves a look fails, too."""
    for grade, title in _TITLES.items():
        findings = [finding for finding in check.findings if finding.grade == grade]
        if findings:
            yield title
        for finding in findings:
            yield f"  {finding.what}."
            yield f"    where:     {finding.where}"
            yield f"    a restore: {finding.effect}"
            yield f"    → {finding.remedy}"
            yield ""
    yield from check.notes
    checked = f"{counted(len(check.checkpoints), 'checkpoint')}, {counted(check.tensors, 'tensor')}, {size(check.bytes)} read"
    yield f"{_verdict(check, strict)}: {checked}."


def _verdict(check: Check, strict: bool) -> str:
    grades = [finding.grade for finding in check.findings]
    if not grades:
        return "Whole"
    looks = f"{counted(grades.count(LOOK), 'thing')} to look at"
    if set(grades) == {LOOK} and not strict:
        return f"Whole, with {looks}"
    counts = {
        WRONG: counted(grades.count(WRONG), "fault"),
        UNKNOWN: f"{grades.count(UNKNOWN):,} not known",
        LOOK: looks,
    }
    return " and ".join(counts[grade] for grade in _TITLES if grade in grades)
