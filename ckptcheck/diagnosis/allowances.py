"""Expected differences: what somebody changes on purpose when a run is resumed, by cause or by the names of tensors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ckptcheck.comparison.compare import Comparison
from ckptcheck.diagnosis.catalogue import (
    CAUSES,
    EVALUATION_ONLY,
    EVERYTHING,
    FROM_THE_FIRST_STEP,
    FROM_THE_FIRST_UPDATE,
    Reach,
)
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.errors import UsageError, unknown
from ckptcheck.kinds import Kind

# What makes a text a pattern of tensor names, and not the name of a cause.
_MARKS = "*?[/"


@dataclass(frozen=True)
class Allowed:
    """Causes of the catalogue, and patterns of tensor names (`dense/*`, as a shell has them), that are no fault."""

    causes: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()

    def matches(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Return the names that each pattern matches."""
        names = list(names)
        return {pattern: [name for name in names if fnmatchcase(name, pattern)] for pattern in self.patterns}

    def part(self, found: Sequence[Diagnosis]) -> tuple[list[Diagnosis], list[Diagnosis]]:
        """Return the diagnoses that are allowed, and the others."""
        return [each for each in found if each.cause in self.causes], [each for each in found if each.cause not in self.causes]


NOTHING = Allowed()


def parse(texts: Sequence[str]) -> Allowed:
    """Read what was asked for: names of causes, and patterns of tensor names.

    Raises:
        UsageError: there is no such cause, or it is one that is always a fault.
    """
    causes, patterns = [], []
    for text in [texts] if isinstance(texts, str) else texts:
        if text in CAUSES:
            if CAUSES[text].reach is None:
                raise UsageError(f"{text} cannot be allowed: after it nothing can be said of the rest of the run.")
            causes.append(text)
        elif any(mark in text for mark in _MARKS):
            patterns.append(text)
        else:
            known = unknown("cause to allow", text, [name for name, cause in CAUSES.items() if cause.reach is not None])
            raise UsageError(f"{known} For tensors, give a pattern of their names, such as '*{text}'.")
    return Allowed(tuple(dict.fromkeys(causes)), tuple(dict.fromkeys(patterns)))


# What a tensor of a kind can change of a run; those of the other kinds can change everything.
_OF_KIND = {
    Kind.METRIC: frozenset[Reach](),  # an epoch reports it, nothing reads it
    Kind.RNG: FROM_THE_FIRST_STEP,
    Kind.HYPERPARAMETER: FROM_THE_FIRST_STEP,
    Kind.PYTHON: FROM_THE_FIRST_STEP,
    Kind.COUNTER: FROM_THE_FIRST_STEP,
    Kind.SLOT: FROM_THE_FIRST_UPDATE,
    Kind.ACCUMULATOR: FROM_THE_FIRST_UPDATE,
    Kind.LOSS_SCALE: FROM_THE_FIRST_UPDATE,
    Kind.SHADOW: EVALUATION_ONLY,
}


def of_pattern(pattern: str, names: Sequence[str]) -> Diagnosis:
    """Return what stands in the report for tensors that may differ."""
    what = "1 tensor of that name differs" if len(names) == 1 else f"{len(names)} tensors of that name differ"
    return Diagnosis(pattern, None, f"{what} at the boundary.", "", tuple(names))


def reach(allowed: Sequence[Diagnosis], comparison: Comparison) -> frozenset[Reach]:
    """Return what the differences that are allowed can change: by their cause, or by the kinds of the tensors."""
    boundary = comparison.at("boundary")
    kinds = dict(zip(boundary["name"], boundary["kind"], strict=True))
    found: set[Reach] = set()
    for each in allowed:
        if each.cause in CAUSES:
            found |= CAUSES[each.cause].reach or EVERYTHING
        else:
            found |= {part for name in each.tensors for part in _OF_KIND.get(Kind(kinds[name]), EVERYTHING)}
    return frozenset(found)
