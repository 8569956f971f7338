"""What the outputs for CI servers share: a case in one line, and text of a user's made fit for every reader."""

import re

from ckptcheck.outcomes import INCONCLUSIVE
from ckptcheck.report import Case, Report

NOTHING = "No case was verified, so nothing is known to recover."
# All but the characters of XML 1.0: control characters, halves of surrogate pairs (which UTF-8 cannot hold either), U+FFFE.
_ILLEGIBLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def headline(case: Case) -> str:
    """Tell in one line what a case did, and what was expected of it if that is something else."""
    expected = "" if case.as_expected else f", expected {case.expected}"
    return in_one_line(f"{case.name}: {case.told_outcome}{expected}")


def is_wrong(case: Case) -> bool:
    """Return whether a case keeps the verdict from being a pass."""
    return not case.as_expected or case.outcome == INCONCLUSIVE


def warnings_of(case: Case) -> list[str]:
    """Return the warnings of a report that are about one case."""
    return Report((case,), {}).warnings()


def legible(text: str) -> str:
    """Replace each character that XML 1.0 or UTF-8 cannot hold; exceptions may quote anything, colours of a terminal too."""
    return _ILLEGIBLE.sub("\N{REPLACEMENT CHARACTER}", text)


def in_one_line(text: str) -> str:
    """Return a text without line breaks, and without what is not legible."""
    return " ".join(legible(text).split())


def clipped(text: str, most: int) -> str:
    """Cut a text to so many characters, and show that it is cut."""
    return text if len(text) <= most else text[: most - 1] + "…"
