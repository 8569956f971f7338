"""What the outputs for CI servers share: a case in one line, and what is wrong with it."""

from ckptcheck.outcomes import INCONCLUSIVE
from ckptcheck.report.report import Case, Report
from ckptcheck.text_safety import in_one_line

NOTHING = "No case was verified, so nothing is known to recover."


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
