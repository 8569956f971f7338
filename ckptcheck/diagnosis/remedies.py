"""The remedies that frameworks declare for causes of the catalogue."""

from functools import cache

from ckptcheck.diagnosis.cause import Remedy
from ckptcheck.job.frameworks import frameworks
from ckptcheck.job.loading import load


@cache
def remedies_of(cause: str) -> tuple[Remedy, ...]:
    """Return what frameworks say should be done about a cause; the first that fits is meant."""
    declared = [load(framework.remedies) for framework in frameworks() if framework.remedies]
    return tuple(remedy for by_cause in declared for remedy in by_cause.get(cause, ()))
