"""Accepted differences: intended changes of a resumed run, by cause or by tensor names.

A case passes if and only if every difference is accepted or follows from an accepted one. Two
checks ensure this: consequences of an accepted cause are diagnosed again without it, and no loss
may differ before an accepted difference starts to act.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ckptcheck.comparison.comparison import Comparison
from ckptcheck.counts import filled
from ckptcheck.diagnosis.catalogue import CAUSES
from ckptcheck.diagnosis.cause import AT_ONCE, STARTS, Cause, Diagnosis, Start, earliest, names_of
from ckptcheck.diagnosis.findings import Findings
from ckptcheck.diagnosis.rules import RULES, apply, steps
from ckptcheck.errors import UsageError, unknown
from ckptcheck.tolerance import EXACT, Tolerance


@dataclass(frozen=True)
class Allowed:
    """Accepted causes of the catalogue, and shell patterns of accepted tensor names (`dense/*`).

    `reasons` says why, by cause or pattern, where the user gave a reason.
    """

    causes: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Terms:
    """What counts as recovered: the tolerance, and the accepted differences."""

    tolerance: Tolerance = EXACT
    allowed: Allowed = Allowed()


STRICT = Terms()


def parse(texts: Sequence[str] | Mapping[str, str]) -> Allowed:
    """Read the names of causes and the patterns of tensor names to accept, maybe with reasons.

    Raises:
        UsageError: a cause does not exist, or cannot be accepted.
    """
    causes, patterns = [], []
    for text in [texts] if isinstance(texts, str) else texts:
        if text in CAUSES:
            if not CAUSES[text].acceptable:
                raise UsageError(
                    f"The cause {text!r} cannot be accepted: {why_not(CAUSES[text])}. "
                    f"`ckptcheck explain {text}` says how to fix it."
                )
            causes.append(text)
        elif any(mark in text for mark in "*?[/"):
            patterns.append(text)
        else:
            error = unknown(
                "cause to accept",
                text,
                [name for name, cause in CAUSES.items() if cause.acceptable],
            )
            raise UsageError(
                f"{error} To accept tensors, give a pattern of their names, such as '*{text}'."
            )
    reasons = dict(texts) if isinstance(texts, Mapping) else {}
    reasons = {text: reason for text, reason in reasons.items() if reason}
    return Allowed(tuple(dict.fromkeys(causes)), tuple(dict.fromkeys(patterns)), reasons)


def with_reasons(accepted: Sequence[Diagnosis], allowed: Allowed) -> tuple[Diagnosis, ...]:
    """Return accepted differences, each with the user's reason to accept it, if there is one."""
    return tuple(
        replace(each, sentence=f"{each.sentence} Reason: {allowed.reasons[each.cause]}")
        if each.cause in allowed.reasons
        else each
        for each in accepted
    )


def why_not(cause: Cause) -> str:
    """Return why a cause cannot be accepted."""
    if cause.about_the_control:
        return "nothing can be concluded about a job that is not reproducible"
    return "the rest of the run would no longer be comparable"


def by_pattern(comparison: Comparison) -> list[Diagnosis]:
    """Return a diagnosis for each pattern of tensor names that accepts a difference."""
    return [_of_pattern(pattern, names) for pattern, names in comparison.left_out.items() if names]


def _of_pattern(pattern: str, names: Sequence[str]) -> Diagnosis:
    sentence = filled(
        "{count} {count:tensor|tensors} matching this pattern {count:differs|differ} at the "
        "boundary.",
        count=len(names),
    )
    return Diagnosis(pattern, None, sentence, "", tuple(names))


def beyond(comparison: Comparison, accepted: Sequence[Diagnosis]) -> list[Diagnosis]:
    """Return the differences that do not follow from the accepted ones."""
    covered = frozenset(name for diagnosis in accepted for name in diagnosis.tensors)
    alone = apply(RULES, Findings(comparison, covered=covered)).found
    others = [diagnosis for diagnosis in alone if diagnosis.cause not in names_of(accepted)]
    # How far accepted causes can move a loss before any update, relative to it.
    reach = [
        CAUSES[cause].loss_within if cause in CAUSES else math.inf for cause in names_of(accepted)
    ]
    return others or list(
        steps.beyond(comparison, start_of(accepted, comparison), max(reach, default=0.0))
    )


def start_of(accepted: Sequence[Diagnosis], comparison: Comparison) -> Start:
    """Return where the first accepted difference starts to act, by its cause or its tensors."""
    kinds = {row.name: row.kind for row in comparison.boundary}
    starts: list[Start] = []
    for diagnosis in accepted:
        cause = CAUSES.get(diagnosis.cause)
        starts += (
            [cause.starts_at]
            if cause
            else [STARTS.get(kinds[name], AT_ONCE) for name in diagnosis.tensors]
        )
    return earliest(starts)
