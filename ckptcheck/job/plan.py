"""The request of a verification: its cases and its folders, checked before anything starts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ckptcheck.errors import UsageError, unknown
from ckptcheck.job.frameworks import default_jobs
from ckptcheck.job.loading import is_own
from ckptcheck.job.schedule import Boundaries, Schedule, make_schedule, parse_boundaries
from ckptcheck.job.shipped import command_named, entry, recipes, shipped
from ckptcheck.outcomes import EXPECTABLE, RECOVERED


@dataclass(frozen=True)
class Request:
    """A requested case.

    Attributes:
        job: The name of the job.
        restore: The name of the restore; None: each restore of the job.
        expected: The expected outcome.
        by_restore: The expected outcomes of single restores, if this is each restore.
    """

    job: str
    restore: str | None
    expected: str
    by_restore: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """How to run the jobs.

    Attributes:
        options: Option values of shipped jobs.
        steps: The length of the control in training steps; None: decided by the schedule.
        boundaries: Where to save; empty: decided by the schedule.
        repeats: How often each control runs again; None: once, where that explains more.
        unsaved: Whether a control that never saves also runs; None: for the user's own jobs.
        timeout: The seconds of silence after which a process is killed.
        kinds: The values of declared kinds of state, by pattern of the names of tensors.
        twice: Whether each restore is also tried on what a resumed run saved.
    """

    options: Mapping[str, str] = field(default_factory=dict)
    steps: int | None = None
    boundaries: Boundaries = ()
    repeats: int | None = None
    unsaved: bool | None = None
    timeout: float = 300.0
    kinds: Mapping[str, str] = field(default_factory=dict)
    twice: bool = False

    def check(self, jobs: Iterable[str]) -> None:
        """Raise `UsageError` now for what a process refuses only after the framework's import."""
        if self.steps is not None and not isinstance(self.boundaries, int):
            for boundary in self.boundaries:
                if isinstance(boundary, int):
                    Schedule(self.steps, boundary, 1)
        for job in jobs:
            if command_named(job) is not None:
                self._check_command(job)
            elif is_own(job):
                if self.options:
                    raise UsageError(
                        f"{job} takes no options; only shipped jobs do. "
                        f"Remove {', '.join(self.options)}."
                    )
            elif (
                steps_per_epoch := shipped(job).parse(self.options).steps_per_epoch()
            ) is not None:
                make_schedule(steps_per_epoch, self.steps, self.boundaries, twice=self.twice)
        if not self.timeout > 0:  # NaN, too
            raise UsageError(f"The timeout must be above 0 seconds, not {self.timeout:g}.")
        if self.repeats is not None and self.repeats < 0:
            raise UsageError(
                f"The number of repetitions of a control must be 0 or more, not {self.repeats}."
            )

    def _check_command(self, name: str) -> None:
        """Raise `UsageError` for a setting that means nothing for a shipped command."""
        of_jobs = {
            "options": bool(self.options),
            "steps": self.steps is not None,
            "boundaries": bool(self.boundaries),
            "unsaved": self.unsaved is not None,
        }
        given = [setting for setting, is_given in of_jobs.items() if is_given]
        if given:
            raise UsageError(
                f"{name} is a command, which takes no {' and no '.join(given)}: only jobs in "
                "classes do. Verify it apart from them."
            )


def plan(
    jobs: Sequence[str], restores: Sequence[str], expect: str | Mapping[str, str] | None
) -> list[Request]:
    """Return the requested cases (default: batch-norm jobs), or raise `UsageError`."""
    if isinstance(expect, Mapping):
        return _with_expectations(plan(jobs, restores, None), expect)
    if expect is not None and expect not in EXPECTABLE:
        raise unknown("outcome", expect, EXPECTABLE)
    if expect is not None and not (jobs and restores):
        raise UsageError(f"The expected outcome {expect!r} needs a job and a restore. Name both.")
    return [
        request for job in jobs or default_jobs() for request in _requests(job, restores, expect)
    ]


def _with_expectations(requests: Sequence[Request], expect: Mapping[str, str]) -> list[Request]:
    for restore, outcome in expect.items():
        if outcome not in EXPECTABLE:
            raise unknown(f"outcome to expect of {restore}", outcome, EXPECTABLE)
    return [
        replace(each, expected=expect.get(each.restore or "", each.expected), by_restore=expect)
        for each in requests
    ]


def _requests(name: str, restores: Sequence[str], expect: str | None) -> list[Request]:
    if is_own(name):
        wanted: Sequence[str | None] = restores or [None]
        return [Request(name, restore, expect or RECOVERED) for restore in wanted]
    job = entry(name)
    for restore in restores:
        if restore not in job.expected:
            raise unknown(f"restore of {name}", restore, job.expected)
    return [
        Request(name, restore, expect or job.expected[restore])
        for restore in restores or job.default_restores
    ]


def named(given: str | Sequence[str] | None, suite: str | None = None) -> list[str]:
    """Return one or several names as a list without duplicates, then the recipes of a suite."""
    names = (
        [] if given is None else [given] if isinstance(given, str) else list(dict.fromkeys(given))
    )
    return names if suite is None else [*names, *recipes(suite)]


def places(boundary: int | None, boundaries: Boundaries | str | None) -> Boundaries:
    """Return where to save, given one boundary or several (maybe as text), but not both."""
    if boundary is not None and boundaries is not None:
        raise UsageError(
            f"boundary={boundary} and boundaries={boundaries!r} exclude each other. Give one."
        )
    if boundary is not None:
        return (boundary,)
    if isinstance(boundaries, str):
        return parse_boundaries(boundaries)
    return () if boundaries is None else boundaries


def folders(top: Path, jobs: Iterable[str]) -> dict[str, Path]:
    """Return a folder for each job, named after the job."""
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
