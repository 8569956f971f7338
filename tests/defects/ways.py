"""The declaration of a restore: how it works, and what it must show. Jobs import this file.

`planted.py` reads the declarations without importing the jobs: that would need TensorFlow.
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
    """A restore of a job.

    Attributes:
        what: `defect`, `pair` (of independent defects) or `clean`.
        how: how the job carries it out.
        causes: the expected causes. A pair without any has those of the two defects in its name,
            which `-and-` joins.
        clean: settings of a verification in which no cause may be named.
    """

    what: str
    how: tuple[Any, ...]
    causes: Causes = ()
    clean: Mapping[str, Any] | None = None


def defect(causes: Causes, *how: Any, clean: Mapping[str, Any] | None = None) -> Way:
    """Declare a restore that loses something; `clean`: a tolerance or causes that excuse it."""
    return Way("defect", how, causes, clean)


def pair(*how: Any, causes: Causes = ()) -> Way:
    """Declare a restore that loses two independent things."""
    return Way("pair", how, causes)


def clean(*how: Any, **settings: Any) -> Way:
    """Declare a restore that loses nothing."""
    return Way("clean", how, (), settings)
