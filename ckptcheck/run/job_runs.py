"""The runs of a verification: controls, runs resumed from their crash images, and further runs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ckptcheck.errors import unknown
from ckptcheck.job.frameworks import preloads
from ckptcheck.job.loading import is_own
from ckptcheck.job.options import absolute
from ckptcheck.job.plan import Request, Settings, folders
from ckptcheck.job.shipped import shipped
from ckptcheck.run import dispatch
from ckptcheck.run.control_cache import ControlCache, Hit, Miss, extent_of
from ckptcheck.run.dask import Place
from ckptcheck.run.dispatch import Group, Needs
from ckptcheck.run.task import CONTROL_HASH_SEED, RESUMED_HASH_SEED, Task
from ckptcheck.run.worker_pool import Event

Watch = Callable[[Event], None]

# Of a class or an instance from a script or a notebook: nothing says which sources it depends on.
GIVEN = Miss("the job was given as an object, not by its name")


@dataclass
class JobRuns:
    """The runs of one job, updated while they go on.

    Attributes:
        control: The task of the control.
        folder: The folder of the job's runs.
        restores: The requested restores; once the job is described, all of them if none was.
        repeats: How often the control runs again.
        noise_asked: Whether the user asked for repetitions.
        boundaries: The boundaries of the control.
        trouble: Why a run did not finish, by the name of its folder.
        described: What the control's process said of the job.
        cached: Whether the control is reused, or why not; None without a cache.
    """

    control: Task
    folder: Path
    restores: list[str]
    repeats: int = 0
    noise_asked: bool = False
    boundaries: list[int] = field(default_factory=list)
    trouble: dict[str, str] = field(default_factory=dict)
    described: Mapping[str, Any] = field(default_factory=dict)
    cached: Hit | Miss | None = None

    def note(self, event: Event) -> None:
        """Take note of an event, or raise what it reports of the request."""
        event.check()
        if event.kind == "described" and event.task.is_control:
            self.described = event.facts
            self.boundaries = list(event.facts["boundaries"])
            known = event.facts["restores"]
            for restore in self.restores:
                if restore not in known:
                    raise unknown(f"restore of {self.control.job}", restore, known)
            self.restores = self.restores or list(known)
        if event.kind == "trouble" or (event.kind == "ended" and event.facts["trouble"]):
            self.trouble.setdefault(
                event.task.run_folder.name, event.facts.get("text") or event.facts["trouble"]
            )


@dataclass(frozen=True)
class Verification:
    """How to run the jobs of a verification: top folder, settings, machines, watcher, cache.

    `pickles` holds the jobs that no process can import, by name.
    """

    top: Path
    settings: Settings
    place: Place | None
    watch: Watch
    pickles: Mapping[str, bytes] = field(default_factory=dict)
    cache: ControlCache | None = None

    def run(self, requests: Sequence[Request]) -> dict[str, JobRuns]:
        """Run every control and every resumed run; return them by job."""
        jobs = folders(self.top, dict.fromkeys(request.job for request in requests))
        runs = {job: self._job_runs(job, folder, requests) for job, folder in jobs.items()}
        self.top.mkdir(parents=True, exist_ok=True)
        groups = [self._group(job) for job in runs.values()]
        self._follow(groups, (CONTROL_HASH_SEED, RESUMED_HASH_SEED), runs)
        return runs

    def run_more(self, tasks: Mapping[str, Sequence[Task]], runs: Mapping[str, JobRuns]) -> None:
        """Run further tasks, by job."""
        groups = [Group(first, also=tuple(also)) for first, *also in tasks.values()]
        seeds = sorted({task.hash_seed for of_job in tasks.values() for task in of_job})
        self._follow(groups, seeds, runs)

    def _group(self, job: JobRuns) -> Group:
        """Return the processes of a job: the control, or without it the runs resumed from it."""
        beside, pickled = tuple(self._beside(job.control)), self.pickles.get(job.control.job)
        if self.cache is None or pickled is not None:
            job.cached = GIVEN if self.cache else None
            files = {} if pickled is None else {str(job.control.pickle): pickled}
            return Group(job.control, tuple(job.restores) or None, beside, files)
        control = replace(job.control, folder=str(self.top / job.control.folder))
        job.cached = self.cache.fetch(control, extent_of(beside))
        if isinstance(job.cached, Miss):
            traced = replace(job.control, traced=True)
            return Group(traced, tuple(job.restores) or None, beside)
        job.note(Event(job.control, "described", dict(job.cached.described)))
        first, *also = (
            replace(job.control, restore=restore, boundary=boundary)
            for boundary in (job.boundaries[:1] if self.settings.twice else job.boundaries)
            for restore in job.restores
        )
        return Group(first, also=tuple(also))

    def keep(self, job: JobRuns) -> None:
        """Keep a reproducible control in the cache, or note why it cannot be kept."""
        assert self.cache is not None
        if job.control.pickled:
            return
        control = replace(job.control, folder=str(self.top / job.control.folder))
        extent = extent_of(tuple(self._beside(job.control)))
        reason = self.cache.keep(control, extent, job.described)
        if reason:
            job.cached = Miss(f"it cannot be reused, because {reason}")

    def _job_runs(self, job: str, folder: Path, requests: Sequence[Request]) -> JobRuns:
        restores = [
            request.restore for request in requests if request.job == job and request.restore
        ]
        asked, environment = self.settings, {} if is_own(job) else shipped(job).environment
        # The task of a resumed run differs in the restore and the boundary alone.
        control = Task(
            job,
            folder.name,
            None,
            absolute(asked.options),
            asked.steps,
            asked.boundaries,
            environment=environment,
            pickled=job in self.pickles,
            kinds=asked.kinds,
            twice=asked.twice,
        )
        return JobRuns(control, folder, restores, self._repeats, noise_asked=bool(asked.repeats))

    @property
    def _repeats(self) -> int:
        """How often the control runs again: for a cache once, to see that it is reproducible."""
        asked = self.settings.repeats
        return (1 if self.cache else 0) if asked is None else asked

    def _beside(self, control: Task) -> Iterable[Task]:
        """Yield the tasks beside the control: one that never saves, and repetitions."""
        if self.settings.unsaved or (self.settings.unsaved is None and is_own(control.job)):
            yield replace(control, unsaved=True)
        yield from (replace(control, repeat=number) for number in range(1, self._repeats + 1))

    def _follow(
        self, groups: Sequence[Group], hash_seeds: Sequence[str], runs: Mapping[str, JobRuns]
    ) -> None:
        needs = Needs(preloads(runs), tuple(hash_seeds), self.settings.timeout)
        for event in dispatch.run(groups, self.top, needs, self.place):
            runs[event.task.job].note(event)
            self.watch(event)
