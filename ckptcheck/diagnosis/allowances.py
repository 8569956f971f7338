"""Accepted differences: what somebody changes on purpose when a run is resumed, by cause or by the names of tensors.

A case passes with what is accepted exactly when every difference is accepted or follows from what is. Two things make sure of
that. What the rules take for a consequence of an accepted cause is looked for once more without it; and no loss may differ
before anything accepted starts to act.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote

from ckptcheck.comparison.comparison import Comparison
from ckptcheck.counts import filled
from ckptcheck.diagnosis.catalogue import CAUSES
from ckptcheck.diagnosis.cause import AT_ONCE, STARTS, Diagnosis, Start, earliest, names_of
from ckptcheck.diagnosis.findings import Findings
from ckptcheck.diagnosis.rules import RULES, apply, steps
from ckptcheck.errors import UsageError, unknown
from ckptcheck.tolerance import EXACT, Tolerance


@dataclass(frozen=True)
class Allowed:
    """Causes of the catalogue, and patterns of tensor names (`dense/*`, as a shell has them), that are no fault."""

    causes: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Terms:
    """What counts as recovered: how far apart equal values may be, and which differences are expected."""

    tolerance: Tolerance = EXACT
    allowed: Allowed = Allowed()


STRICT = Terms()


def parse(texts: Sequence[str]) -> Allowed:
    """Read what was asked for: names of causes, and patterns of tensor names.

    Raises:
        UsageError: there is no such cause, or it is one that is always a fault.
    """
    causes, patterns = [], []
    for text in [texts] if isinstance(texts, str) else texts:
        if text in CAUSES:
            if not CAUSES[text].acceptable:
                raise UsageError(
                    f"The cause {text!r} cannot be accepted: the rest of the run would no longer be "
                    "comparable."
                )
            causes.append(text)
        elif any(mark in text for mark in "*?[/"):
            patterns.append(text)
        else:
            error = unknown(
                "cause to allow", text, [name for name, cause in CAUSES.items() if cause.acceptable]
            )
            raise UsageError(
                f"{error} For tensors, give a pattern of their names, such as '*{text}'."
            )
    return Allowed(tuple(dict.fromkeys(causes)), tuple(dict.fromkeys(patterns)))


def acceptance(diagnosis: Diagnosis) -> str:
    """Return the option that accepts a diagnosis on the command line; empty: none can."""
    cause = CAUSES.get(diagnosis.cause)
    return f"--allow {quote(diagnosis.cause)}" if cause is None or cause.acceptable else ""


def by_pattern(comparison: Comparison) -> list[Diagnosis]:
    """Return what stands in the report for tensors that may differ by their names."""
    return [_of_pattern(pattern, names) for pattern, names in comparison.left_out.items() if names]


def _of_pattern(pattern: str, names: Sequence[str]) -> Diagnosis:
    sentence = filled(
        "{count} {count:tensor|tensors} of that name {count:differs|differ} at the boundary.",
        count=len(names),
    )
    return Diagnosis(pattern, None, sentence, "", tuple(names))


def beyond(comparison: Comparison, accepted: Sequence[Diagnosis]) -> list[Diagnosis]:
    """Return the differences that do not follow from what is accepted."""
    passed_over = frozenset(name for diagnosis in accepted for name in diagnosis.tensors)
    alone = apply(RULES, Findings(comparison, passed_over=passed_over)).found
    others = [diagnosis for diagnosis in alone if diagnosis.cause not in names_of(accepted)]
    # How far what is accepted can move a loss that is computed before any update, relative to it.
    reach = [
        CAUSES[cause].loss_within if cause in CAUSES else math.inf for cause in names_of(accepted)
    ]
    return others or list(
        steps.beyond(comparison, start_of(accepted, comparison), max(reach, default=0.0))
    )


def start_of(accepted: Sequence[Diagnosis], comparison: Comparison) -> Start:
    """Return where the first of what is accepted starts to act: by its cause, or by the kinds of its tensors."""
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
