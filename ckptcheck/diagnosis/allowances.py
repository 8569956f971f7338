"""Accepted differences: what somebody changes on purpose when a run is resumed, by cause or by the names of tensors.

A case passes with what is accepted exactly when every difference is accepted or follows from what is. Two things make sure of
that. What the rules take for a consequence of an accepted cause is looked for once more without it; and no loss may differ
before anything accepted starts to act.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from ckptcheck.comparison.comparison import Comparison
from ckptcheck.diagnosis.catalogue import CAUSES
from ckptcheck.diagnosis.cause import AT_ONCE, NEVER, Diagnosis, Start, names_of
from ckptcheck.diagnosis.findings import STARTS, Findings
from ckptcheck.diagnosis.rules import RULES, apply, steps
from ckptcheck.errors import UsageError, unknown
from ckptcheck.tolerance import EXACT, Tolerance

# What makes a text a pattern of tensor names, and not the name of a cause.
_MARKS = "*?[/"


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
                raise UsageError(f"{text} cannot be allowed: after it nothing can be said of the rest of the run.")
            causes.append(text)
        elif any(mark in text for mark in _MARKS):
            patterns.append(text)
        else:
            error = unknown("cause to allow", text, [name for name, cause in CAUSES.items() if cause.acceptable])
            raise UsageError(f"{error} For tensors, give a pattern of their names, such as '*{text}'.")
    return Allowed(tuple(dict.fromkeys(causes)), tuple(dict.fromkeys(patterns)))


def by_pattern(comparison: Comparison) -> list[Diagnosis]:
    """Return what stands in the report for tensors that may differ by their names."""
    return [_of_pattern(pattern, names) for pattern, names in comparison.left_out.items() if names]


def _of_pattern(pattern: str, names: Sequence[str]) -> Diagnosis:
    what = "1 tensor of that name differs" if len(names) == 1 else f"{len(names)} tensors of that name differ"
    return Diagnosis(pattern, None, f"{what} at the boundary.", "", tuple(names))


def beyond(comparison: Comparison, accepted: Sequence[Diagnosis]) -> list[Diagnosis]:
    """Return the differences that do not follow from what is accepted."""
    passed_over = frozenset(name for diagnosis in accepted for name in diagnosis.tensors)
    alone = apply(RULES, Findings(comparison, passed_over=passed_over)).found
    others = [diagnosis for diagnosis in alone if diagnosis.cause not in names_of(accepted)]
    return others or list(steps.beyond(comparison, start_of(accepted, comparison), _loss_within(accepted)))


def _loss_within(accepted: Sequence[Diagnosis]) -> float:
    """Return how far what is accepted can move a loss that is computed before any update, relative to it."""
    return max((CAUSES[each.cause].loss_within if each.cause in CAUSES else math.inf for each in accepted), default=0.0)


def start_of(accepted: Sequence[Diagnosis], comparison: Comparison) -> Start:
    """Return where the first of what is accepted starts to act: by its cause, or by the kinds of its tensors."""
    kinds = {row.name: row.kind for row in comparison.boundary}
    starts = [CAUSES[each.cause].starts_at for each in accepted if each.cause in CAUSES]
    by_name = [name for each in accepted if each.cause not in CAUSES for name in each.tensors]
    starts += [STARTS.get(kinds[name], AT_ONCE) for name in by_name]
    return reduce(Start.or_earlier, starts, NEVER)
