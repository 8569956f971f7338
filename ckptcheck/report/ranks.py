"""Cases of processes that train together: what one rank lost changes the gradients of all."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ckptcheck.diagnosis.allowances import Terms
from ckptcheck.outcomes import DIVERGED, RECOVERED
from ckptcheck.report import judge
from ckptcheck.report.case import Case
from ckptcheck.report.evidence import Evidence

_UNEXPLAINED = "unexplained"


def judge_all(
    questions: Sequence[judge.Question], evidence: Mapping[str, Evidence], terms: Terms
) -> list[Case]:
    """Judge cases, those of the ranks of one run beside each other.

    Args:
        questions: the cases.
        evidence: the evidence on each job, by its name.
        terms: what counts as equal.
    """
    cases = judge.judge_all(questions, evidence, terms)
    return [_beside(case, _of_other_ranks(case, cases)) for case in cases]


def follows(case: Case) -> bool:
    """Return whether a rank diverges only because another rank does."""
    return case.rank is not None and case.outcome == DIVERGED and not case.diagnoses


def _of_other_ranks(case: Case, cases: Sequence[Case]) -> list[Case]:
    run = case.job, case.restore, case.boundary, case.after
    same = (each for each in cases if (each.job, each.restore, each.boundary, each.after) == run)
    return [each for each in same if each.rank != case.rank]


def _beside(case: Case, others: Sequence[Case]) -> Case:
    """Return a case without a diagnosis where only another rank explains what differs."""
    for each in others:
        if _raised_after(case, each):
            reason = f"Rank {case.rank} raised an exception only after rank {each.rank} did."
            return replace(case, diagnoses=(), reason=f"{reason} Fix rank {each.rank} first.")
    if not _may_follow(case):
        return case
    lost = [each for each in others if each.outcome == DIVERGED and not _may_follow(each)]
    accepted = [each for each in others if each.outcome == RECOVERED and each.allowed]
    if not (lost or accepted):
        return case
    cause = (lost or accepted)[0]
    reason = (
        f"Rank {case.rank} differs only after its first loss: the ranks share their gradients, and "
        f"rank {cause.rank} lost state. Fix rank {cause.rank} first."
    )
    if lost:
        return replace(case, diagnoses=(), reason=reason)
    return replace(case, outcome=RECOVERED, diagnoses=(), allowed=cause.allowed)


def _raised_after(case: Case, other: Case) -> bool:
    """Return whether a rank raised a different exception than another one, and later.

    A rank that waits for one that has ended raises an exception of its own.
    """
    runs = [each.resumed.facts for each in (case, other) if each.resumed is not None]
    raised = [each.failure for each in runs if each.failure is not None]
    if len(raised) < 2 or raised[0].during != "train":
        return False
    ends = [each.started + each.seconds for each in runs]
    return raised[0].message != raised[1].message and ends[0] > ends[1]


def _may_follow(case: Case) -> bool:
    """Return whether all is equal up to the first loss, and nothing explains what differs then."""
    compared = case.comparison
    return (
        case.outcome == DIVERGED
        and {each.cause for each in case.diagnoses} == {_UNEXPLAINED}
        and compared is not None
        and compared.equal_at_boundary
        and bool(compared.steps)
        and compared.steps[0].equal
        and all(step.batch_equal and step.rate_equal for step in compared.steps)
    )
