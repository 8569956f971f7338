"""The decorator of a planted job: what a verification must show, and its settings.

A worker imports this file, so it imports nothing of the tests. It sets an attribute on the job,
which `tests/planted_jobs.py` reads.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

OMITTED, NOT_APPLIED, OVERWRITTEN = (
    "omitted at save",
    "not applied at load",
    "overwritten after load",
)
NEVER_LIVE = "never live"

JITTERS = (
    "Every tensor at the boundary is equal, but the job is not reproducible, so a "
    "difference after it may be noise. Measure the noise with --repeat N."
)

Cause = tuple[str, str | None]
Planted = TypeVar("Planted", bound=Callable[..., Any])


@dataclass(frozen=True)
class Shows:
    """What a planted job must show: outcome, causes with stages, and the reason for no verdict.

    `verified` holds arguments of `verify` beside the default, 21 steps and a boundary after 9.
    `{line}` in the reason stands for the line of the job that raises.
    """

    outcome: str
    causes: tuple[Cause, ...]
    reason: str | None
    verified: dict[str, Any]


def planted(
    *,
    diverged: Sequence[Cause] | None = None,
    refused: Sequence[Cause] | None = None,
    recovered: Sequence[Cause] | None = None,
    inconclusive: str | None = None,
    noise: bool = False,
    **verified: Any,
) -> Callable[[Planted], Planted]:
    """Declare what a job must show; repeat it for each way to verify the job.

    `noise`: the inconclusive report says where the job varies by itself.
    """
    by_outcome = {"diverged": diverged, "refused": refused, "recovered": recovered}
    if inconclusive is not None:
        by_outcome = {"inconclusive": [("noise", None)] if noise else []}
    ((outcome, causes),) = (
        (outcome, causes) for outcome, causes in by_outcome.items() if causes is not None
    )
    shows = Shows(outcome, tuple(causes), inconclusive, verified)

    def declare(job: Planted) -> Planted:
        # The job's own declarations, not those of its base.
        job.shows = (shows, *vars(job).get("shows", ()))  # type: ignore[attr-defined]
        return job

    return declare
