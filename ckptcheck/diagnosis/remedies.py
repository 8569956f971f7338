"""The remedies that frameworks declare for causes of the catalogue."""

from collections.abc import Mapping
from functools import cache

from ckptcheck.diagnosis.cause import Remedy
from ckptcheck.job.loading import load

_REMEDIES = ("ckptcheck.adapters.tensorflow.remedies:REMEDIES",)


@cache
def _by_cause() -> Mapping[str, tuple[Remedy, ...]]:
    found: dict[str, tuple[Remedy, ...]] = {}
    for target in _REMEDIES:
        for cause, remedies in load(target).items():
            found[cause] = (*found.get(cause, ()), *remedies)
    return found


def remedies_of(cause: str) -> tuple[Remedy, ...]:
    """Return what frameworks say should be done about a cause; the first that fits is meant."""
    return _by_cause().get(cause, ())
