"""What a verification is asked to do: its cases, where runs are kept, and what is refused before anything starts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ckptcheck.errors import UsageError, unknown
from ckptcheck.job.loading import is_own
from ckptcheck.job.schedule import Boundaries, Schedule, make_schedule, parse_boundaries
from ckptcheck.job.shipped import recipes, registry, shipped
from ckptcheck.outcomes import EXPECTABLE, RECOVERED


@dataclass(frozen=True)
class Request:
    """One case as asked for: a job by name, a restore by name (None: each that the job has), the expected outcome."""

    job: str
    restore: str | None
    expected: str


@dataclass(frozen=True)
class Settings:
    """How jobs are run: option values of shipped jobs, length, where to save, what else to run, and for how long to wait."""

    options: Mapping[str, str] = field(default_factory=dict)
    steps: int | None = None
    boundaries: Boundaries = ()
    repeats: int | None = (
        None  # how often each control is run again; None: where that can tell more
    )
    unsaved: bool | None = (
        None  # whether a control that never saves is run, too; None: for jobs of a user's own
    )
    timeout: float = 300.0  # seconds

    def check(self, jobs: Iterable[str]) -> None:
        """Raise `UsageError` now for what a process would refuse only after the framework's import."""
        if self.steps is not None and not isinstance(self.boundaries, int):
            for boundary in self.boundaries:
                if isinstance(boundary, int):
                    Schedule(self.steps, boundary, 1)
        for job in jobs:
            if is_own(job):
                if self.options:
                    raise UsageError(f"Options are for the shipped jobs; {job} takes none.")
            elif (
                steps_per_epoch := shipped(job).parse(self.options).steps_per_epoch()
            ) is not None:
                make_schedule(steps_per_epoch, self.steps, self.boundaries)
        if self.timeout <= 0:
            raise UsageError(f"The timeout must be above 0 seconds, not {self.timeout:g}.")
        if self.repeats is not None and self.repeats < 0:
            raise UsageError(f"A control is repeated 0 times or more, not {self.repeats}.")


def plan(jobs: Sequence[str], restores: Sequence[str], expect: str | None) -> list[Request]:
    """Return the cases asked for, or raise `UsageError`; without jobs, those that are verified by default."""
    if expect is not None and expect not in EXPECTABLE:
        raise unknown("outcome to expect", expect, EXPECTABLE)
    if expect is not None and not (jobs and restores):
        raise UsageError(
            "An expected outcome is for cases asked for by name: name the job and the restore."
        )
    return [
        request
        for job in jobs or registry().default
        for request in _requests(job, restores, expect)
    ]


def _requests(name: str, restores: Sequence[str], expect: str | None) -> list[Request]:
    if is_own(name):
        wanted: Sequence[str | None] = restores or [None]
        return [Request(name, restore, expect or RECOVERED) for restore in wanted]
    job = shipped(name)
    for restore in restores:
        if restore not in job.expected:
            raise unknown(f"restore of {name}", restore, job.expected)
    return [
        Request(name, restore, expect or job.expected[restore])
        for restore in restores or job.default_restores
    ]


def named(given: str | Sequence[str] | None, suite: str | None = None) -> list[str]:
    """Return one name or several as a list, each once, with the recipes of a suite behind them."""
    names = (
        [] if given is None else [given] if isinstance(given, str) else list(dict.fromkeys(given))
    )
    return names if suite is None else [*names, *recipes(suite)]


def places(boundary: int | None, boundaries: Boundaries | str | None) -> Boundaries:
    """Return where to save, given one boundary or several, which may be a text, but not both."""
    if boundary is not None and boundaries is not None:
        raise UsageError("Give one boundary or several boundaries, not both.")
    if boundary is not None:
        return (boundary,)
    if isinstance(boundaries, str):
        return parse_boundaries(boundaries)
    return () if boundaries is None else boundaries


def folders(top: Path, jobs: Iterable[str]) -> dict[str, Path]:
    """Return a folder for each job, named as the job as far as a folder can be."""
    by_job: dict[str, Path] = {}
    for job in jobs:
        place, _, attribute = job.rpartition(":")
        readable = f"{Path(place).stem}-{attribute}" if place else job.replace("/", "-")
        number, free = 1, readable
        while top / free in by_job.values():
            number += 1
            free = f"{readable}~{number}"
        by_job[job] = top / free
    return by_job
