"""Turn a comparison into diagnoses: what was lost, at which stage, and how to fix it."""

from collections.abc import Sequence
from dataclasses import replace

from ckptcheck.comparison.comparison import Comparison
from ckptcheck.diagnosis.allowances import by_pattern, start_of
from ckptcheck.diagnosis.catalogue import CAUSES, remedy
from ckptcheck.diagnosis.cause import NEVER, OWN_FILES, STARTS, Diagnosis, Stage
from ckptcheck.diagnosis.findings import Findings, names
from ckptcheck.diagnosis.rules import LAST, OF_THE_CONTROL, RULES, apply
from ckptcheck.job.shipped import fixes_for


def diagnose(comparison: Comparison) -> list[Diagnosis]:
    """Return what a comparison shows; an exact one can still show a fault of the control.

    Differences after the boundary stay unexplained if tensors left out by their names may cause
    them.
    """
    findings = apply(RULES, Findings(comparison))
    may_follow = start_of(by_pattern(comparison), comparison) != NEVER
    for rule in () if may_follow else LAST:
        findings = findings if findings.found else apply([rule], findings)
    return list(apply(OF_THE_CONTROL, findings).found)


def unjudged(comparison: Comparison) -> list[str]:
    """Return the tensors created in the first step that differ and may or may not be restored.

    Tensors that never act on training are left out: a metric that starts anew loses nothing.
    """
    findings = Findings(comparison)
    late = names(
        row
        for row in findings.open
        if row.late
        and row.asked is None
        and not comparison.restores_at_once
        and STARTS.get(row.kind) != NEVER
    )
    return late if findings.first_step_differs else []


def not_comparable(comparison: Comparison) -> list[str]:
    """Return the tensors created in the first step that differ because that step differs.

    Those that were not restored are left out: they differ by themselves.
    """
    findings = Findings(comparison)
    rows = findings.open if findings.first_step_differs else ()
    return names(row for row in rows if row.late and not findings.is_own(row))


def is_of_restore(found: Diagnosis) -> bool:
    """Return whether a diagnosis is about the restore, not about the control."""
    return found.cause not in CAUSES or not CAUSES[found.cause].about_the_control


def is_of_job(found: Diagnosis) -> bool:
    """Return whether a diagnosis is a fault of the job, with any restore; noise is none."""
    return not is_of_restore(found) and CAUSES[found.cause].acceptable


def with_remedies(
    diagnoses: Sequence[Diagnosis], framework: str, restore: str | None
) -> list[Diagnosis]:
    """Return diagnoses with the remedies for a framework and the judged restore."""
    remedied = [
        replace(
            each,
            remedy=remedy(
                CAUSES[each.cause],
                Stage(each.stage) if each.stage else None,
                framework,
                restore,
                each.tensors,
                each.sentence,
            ),
        )
        for each in diagnoses
    ]
    return remedied if restore == OWN_FILES else _with_code(remedied, framework)


def _with_code(diagnoses: Sequence[Diagnosis], framework: str) -> list[Diagnosis]:
    """Point to the code of a fix; diagnoses that share a remedy point to one."""
    fixed = [each for each in diagnoses if fixes_for(each.cause, framework)]
    explained = {each.remedy: each.cause for each in reversed(fixed)}
    return [
        replace(
            each,
            remedy=f"{each.remedy} `ckptcheck explain {explained[each.remedy]} --framework "
            f"{framework}` prints a fix.",
        )
        if each.remedy in explained
        else each
        for each in diagnoses
    ]
