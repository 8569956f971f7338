"""The runs of a verification: every control, every resumed run as soon as there is a crash image, and later more."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ckptcheck.errors import UsageError, unknown
from ckptcheck.job.frameworks import preloads
from ckptcheck.job.plan import Request, Settings, folders, is_own
from ckptcheck.job.shipped import shipped
from ckptcheck.run import dispatch
from ckptcheck.run.dask import Place
from ckptcheck.run.dispatch import Group, Needs
from ckptcheck.run.task import CONTROL_HASH_SEED, RESUMED_HASH_SEED, Task
from ckptcheck.run.worker_pool import Event

Watch = Callable[[Event], None]


@dataclass
class JobRuns:
    """What became of the control of a job and of its resumed runs, while they go on.

    `trouble` says what kept which of them, by its folder's name, from finishing.
    """

    control: Task
    folder: Path
    restores: list[str]
    repeats: int = 0
    noise_asked: bool = False
    boundaries: list[int] = field(default_factory=list)
    trouble: dict[str, str] = field(default_factory=dict)

    def note(self, event: Event) -> None:
        """Take note of what a process said.

        Raises:
            UsageError: the process found the request to be wrong.
        """
        if event.kind == "usage":
            raise UsageError(event.facts["text"])
        if event.kind == "described" and event.task.is_control:
            self.boundaries = list(event.facts["boundaries"])
            known = event.facts["restores"]
            for restore in self.restores:
                if restore not in known:
                    raise unknown("restore of this job", restore, known)
            self.restores = self.restores or list(known)
        if event.kind == "trouble" or (event.kind == "ended" and event.facts["trouble"]):
            self.trouble.setdefault(event.task.run_folder.name, event.facts.get("text") or event.facts["trouble"])


@dataclass(frozen=True)
class Verification:
    """Where and how the jobs of a verification are run: the folder of all runs, the settings, the machines, who watches."""

    top: Path
    settings: Settings
    place: Place | None
    watch: Watch

    def run(self, requests: Sequence[Request]) -> dict[str, JobRuns]:
        """Run every control, and every resumed run; return what became of them, by job."""
        runs = {job: self._job_runs(job, folder, requests) for job, folder in self._folders(requests).items()}
        groups = [
            Group(each.control, tuple(each.restores) or None, tuple(self._beside(each.control))) for each in runs.values()
        ]
        self.top.mkdir(parents=True, exist_ok=True)
        self._follow(groups, (CONTROL_HASH_SEED, RESUMED_HASH_SEED), runs)
        return runs

    def run_more(self, tasks: Mapping[str, Sequence[Task]], runs: Mapping[str, JobRuns]) -> None:
        """Run further tasks, by job."""
        groups = [Group(first, also=tuple(also)) for first, *also in tasks.values() if first]
        seeds = sorted({task.hash_seed for of_job in tasks.values() for task in of_job})
        self._follow(groups, seeds, runs)

    def _folders(self, requests: Sequence[Request]) -> dict[str, Path]:
        return folders(self.top, dict.fromkeys(request.job for request in requests))

    def _job_runs(self, job: str, folder: Path, requests: Sequence[Request]) -> JobRuns:
        restores = [request.restore for request in requests if request.job == job and request.restore]
        repeats = self.settings.repeats or 0
        return JobRuns(self._control(job, folder.name), folder, restores, repeats, noise_asked=repeats > 0)

    def _control(self, job: str, folder: str) -> Task:
        """Return what the control is to do; what a resumed run is to do differs in the restore alone."""
        return Task(
            job=job,
            folder=folder,
            options=_absolute(self.settings.options),
            steps=self.settings.steps,
            boundaries=self.settings.boundaries,
            environment={} if is_own(job) else shipped(job).environment,
        )

    def _beside(self, control: Task) -> Iterable[Task]:
        """Yield the controls that are run beside the control: one that never saves, and repetitions."""
        if self.settings.unsaved or (self.settings.unsaved is None and is_own(control.job)):
            yield replace(control, unsaved=True)
        yield from (replace(control, repeat=number) for number in range(1, (self.settings.repeats or 0) + 1))

    def _follow(self, groups: Sequence[Group], hash_seeds: Sequence[str], runs: Mapping[str, JobRuns]) -> None:
        needs = Needs(preloads(runs), tuple(hash_seeds), self.settings.timeout)
        for event in dispatch.run(groups, self.top, needs, self.place):
            runs[event.task.job].note(event)
            self.watch(event)


def _absolute(options: Mapping[str, str]) -> Mapping[str, str]:
    dataset = options.get("dataset", "")
    return {**options, "dataset": str(Path(dataset).resolve())} if dataset.endswith(".npz") else options
