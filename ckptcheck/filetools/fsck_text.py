"""What `fsck` prints: every finding, the grave ones first, and what was read."""

from collections.abc import Iterator

from ckptcheck.filetools.fsck import Check
from ckptcheck.filetools.fsck_findings import LOOK, UNKNOWN, WRONG
from ckptcheck.filetools.tables import counted, size

_TITLES = {WRONG: "A restore would fail, or be wrong:", UNKNOWN: "Could not be checked:", LOOK: "Deserves a look:"}


def text(found: Check, strict: bool) -> Iterator[str]:
    """Yield the lines; `strict`: whether what only deserves a look fails, too."""
    for grade, title in _TITLES.items():
        findings = [each for each in found.findings if each.grade == grade]
        if findings:
            yield title
        for each in findings:
            yield f"  {each.what}."
            yield f"    where:     {each.where}"
            yield f"    a restore: {each.effect}"
            yield f"    → {each.remedy}"
            yield ""
    yield from found.notes
    checked = f"{counted(len(found.checkpoints), 'checkpoint')}, {counted(found.tensors, 'tensor')}, {size(found.bytes)} read"
    yield f"{_verdict(found, strict)}: {checked}."


def _verdict(found: Check, strict: bool) -> str:
    grades = [each.grade for each in found.findings]
    if not grades:
        return "Whole"
    looks = f"{counted(grades.count(LOOK), 'thing')} to look at"
    if set(grades) == {LOOK} and not strict:
        return f"Whole, with {looks}"
    told = {WRONG: counted(grades.count(WRONG), "fault"), UNKNOWN: f"{grades.count(UNKNOWN):,} not known", LOOK: looks}
    return " and ".join(told[grade] for grade in _TITLES if grade in grades)
