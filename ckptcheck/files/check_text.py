"""What `fsck` prints: every finding, the grave ones first, and what was read."""

from collections.abc import Iterator

from ckptcheck.files.checking import Check
from ckptcheck.files.columns import counted, size
from ckptcheck.files.findings import LOOK, WRONG


def text(found: Check, strict: bool) -> Iterator[str]:
    """Yield the lines; `strict`: whether what only deserves a look fails, too."""
    for grade, title in ((WRONG, "A restore would fail, or be wrong:"), (LOOK, "Deserves a look:")):
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
    wrong = sum(each.grade == WRONG for each in found.findings)
    looks = len(found.findings) - wrong
    if not found.findings:
        return "Whole"
    if not wrong and not strict:
        return f"Whole, with {counted(looks, 'thing')} to look at"
    told = [counted(wrong, "fault")] * bool(wrong) + [f"{counted(looks, 'thing')} to look at"] * bool(looks)
    return " and ".join(told)
