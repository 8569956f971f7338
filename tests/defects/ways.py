"""What stands beside each restore of a job: how it is done, and what it must show. A job imports this as its neighbour.

`planted.py` reads it without importing the job, which would need TensorFlow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

OMITTED, NOT_APPLIED, OVERWRITTEN, NEVER = (
    "omitted at save",
    "not applied at load",
    "overwritten after load",
    "never live",
)

Causes = Sequence[tuple[str, str | None]]

SLOTS_AND_STEP: Causes = [("slots-lost", None), ("step-lost", None)]
ONLY_TRAINABLES: Causes = [
    ("moving-statistics-lost", OMITTED),
    ("shadows-lost", OMITTED),
    ("slots-lost", OMITTED),
    ("step-lost", OMITTED),
]
RESTARTED: Causes = [("generators-restarted", OMITTED)]


@dataclass(frozen=True)
class Way:
    """One restore of a job: `how`, as the job reads it, and all causes that must be named.

    `what`: a defect, a pair of independent defects (without causes of its own, those of the two that its name joins by
    `-and-`), or clean. `clean`: settings of the verification under which no cause may be named.
    """

    what: str
    how: tuple[Any, ...]
    causes: Causes = ()
    clean: Mapping[str, Any] | None = None


def defect(causes: Causes, *how: Any, clean: Mapping[str, Any] | None = None) -> Way:
    """A restore that loses something; `clean`: what makes it right, a tolerance or what is allowed."""
    return Way("defect", how, causes, clean)


def pair(*how: Any, causes: Causes = ()) -> Way:
    """A restore that loses two things that have nothing to do with each other."""
    return Way("pair", how, causes)


def clean(*how: Any, **settings: Any) -> Way:
    """A restore that loses nothing."""
    return Way("clean", how, (), settings)
