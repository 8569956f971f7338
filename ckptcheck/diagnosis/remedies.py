"""The remedies that frameworks declare for causes of the catalogue."""

from functools import cache

from ckptcheck.diagnosis.cause import Remedy
from ckptcheck.job.frameworks import frameworks
from ckptcheck.job.loading import load


@cache
def remedies_of(cause: str) -> tuple[Remedy, ...]:
    """Return the remedies of all frameworks for a cause; the first that fits is used."""
    declared = [load(framework.remedies) for framework in frameworks() if framework.remedies]
    return tuple(remedy for by_cause in declared for remedy in by_cause.get(cause, ()))
