"""The line itself, from case to report. A reader starts here.

case ─▶ control run ─▶ crash image ─▶ resumed run ─▶ comparison ─▶ diagnoses ─▶ report
"""

import importlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ckptcheck.diagnosis.allowances import parse as parse_allowed
from ckptcheck.diagnosis.terms import Terms
from ckptcheck.errors import UsageError, unknown
from ckptcheck.job.frameworks import preloads
from ckptcheck.job.options import shown
from ckptcheck.job.schedule import Boundaries, Schedule, make_schedule, parse_boundaries
from ckptcheck.job.shipped import recipes, registry, shipped
from ckptcheck.outcomes import EXPECTABLE, RECOVERED
from ckptcheck.run.dask import Place, opened
from ckptcheck.run.dispatch import Group, Needs
from ckptcheck.run.dispatch import run as run_groups
from ckptcheck.run.task import CONTROL_HASH_SEED, RESUMED_HASH_SEED, Task
from ckptcheck.run.worker_pool import Event
from ckptcheck.tolerance import Tolerance

if TYPE_CHECKING:
    from ckptcheck.report.judge import Evidence, Question
    from ckptcheck.report.report import Case, Report

TIMEOUT = 300.0
Watch = Callable[[Event], None]


@dataclass(frozen=True)
class Request:
    """One case as asked for: a job by name, a restore by name (None: each that the job has), the expected outcome."""

    job: str
    restore: str | None
    expected: str


@dataclass
class _JobRun:
    """What became of the control of a job and of its resumed runs, while they go on."""

    folder: Path
    restores: list[str]
    boundaries: list[int] = field(default_factory=list)
    repeats: int = 0
    noise_asked: bool = False
    trouble: dict[str, str] = field(default_factory=dict)

    def evidence(self) -> "Evidence":
        """Return what there is to judge."""
        from ckptcheck.report.judge import Evidence

        return Evidence(self.folder, self.trouble, self.repeats, self.noise_asked)

    def questions(self, request: Request) -> "list[Question]":
        """Return the cases that a request makes: one for each restore and boundary."""
        from ckptcheck.report.judge import Question

        # A job of a user's own that failed before it could name its restores still makes one case.
        restores = [request.restore] if request.restore else self.restores or ["(any)"]
        boundaries = self.boundaries if len(self.boundaries) > 1 else [None]
        return [Question(request.job, restore, request.expected, each) for restore in restores for each in boundaries]


def verify(
    job: str | Sequence[str] | None = None,
    restore: str | Sequence[str] | None = None,
    *,
    suite: str | None = None,
    options: Mapping[str, Any] | None = None,
    expect: str | None = None,
    steps: int | None = None,
    boundary: int | None = None,
    boundaries: Boundaries | str | None = None,
    repeat: int | None = None,
    unsaved: bool | None = None,
    allow: Sequence[str] = (),
    timeout: float = TIMEOUT,
    rtol: float = 0.0,
    atol: float = 0.0,
    equal_nan: bool = False,
    folder: Path | str | None = None,
    executor: Executor | str | None = None,
    watch: Watch | None = None,
) -> "Report":
    """Train each job, save in mid-run, restore in new processes, train on, and compare with the run that went on.

    Args:
        job: names of shipped jobs, or `package.module:name` or `file.py:name` of your own; default: the batch-norm jobs.
        restore: names of the restores; default: those that the job is usually verified with.
        suite: `keras` or `tf2`: every recipe of that report card, beside the jobs that are named.
        options: option values of the shipped jobs by name, as in `ckptcheck jobs`.
        expect: the outcome to expect of the named cases: `recovered`, `diverged` or `refused`.
        steps: length of the control run in training steps; default: 3.5 epochs.
        boundary: number of steps done when the checkpoint is saved; default: in mid-epoch, 2.5 epochs
            from the start, or the middle of the run where `steps` is given.
        boundaries: several of them: numbers of steps, and `first`, `mid`, `epoch` (an epoch edge) or `last`, or a text as
            the command line takes it; or how many, spread over the run. One control saves at all of them, and each restore is
            tried from each.
        repeat: how often the control is run again, to measure how far the job is from reproducing itself; losses after the
            boundary are then judged against that. Default: once, and only where a run is its control's equal at the boundary
            and another one after it; such a case is inconclusive if the job does not reproduce itself. 0: never.
        unsaved: whether a control that never saves is run, too, to see whether saving changes the run. Default: for jobs of
            your own; what is shipped is known to save and do nothing else.
        allow: differences that are expected: causes of the catalogue that are no fault here, or patterns of tensor names
            (`dense/*`, as a shell has them).
        timeout: seconds without a sign of life after which a process is ended and its case inconclusive.
        rtol, atol: two floating-point values count as equal where |resumed − control| ≤ atol + rtol · |control|.
        equal_nan: whether NaN counts as equal to NaN.
        folder: where the runs and the checkpoint are kept, a folder that does not exist yet; default: they are not.
        executor: a `concurrent.futures.Executor`, or `dask://HOST:PORT`, on whose machines each job is run with its
            restores; default: processes of this machine.
        watch: called with each event of each process.

    Returns:
        The report. It raises nothing by itself: see `Report.assert_recovered`.

    Raises:
        UsageError: the request is wrong; the text says which part.
        NotVerifiedError: the framework cannot be imported, a dataset cannot be had, or the executor cannot be reached.
    """
    texts = {name: value if isinstance(value, str) else shown(value) for name, value in (options or {}).items()}
    named = [*_names(job), *(recipes(suite) if suite is not None else ())]
    requests = plan(named, _names(restore), expect)
    places = _places(boundary, boundaries)
    for name in dict.fromkeys(request.job for request in requests):
        _check(name, texts, steps, places)
    if timeout <= 0:
        raise UsageError(f"The timeout must be above 0 seconds, not {timeout:g}.")
    if repeat is not None and repeat < 0:
        raise UsageError(f"A control is repeated 0 times or more, not {repeat}.")
    terms = Terms(Tolerance(rtol, atol, equal_nan), parse_allowed(allow))
    temporary = tempfile.mkdtemp(prefix="ckptcheck-") if folder is None else None
    top = Path(temporary or folder or "").resolve()
    made = not top.exists()
    try:
        settings = _Settings(texts, steps, places, repeat or 0, timeout, unsaved)
        hear = watch or (lambda event: None)
        with opened(executor) as place:
            runs = _run_all(requests, top, settings, place, hear)
            from ckptcheck.report import judge
            from ckptcheck.report import rejudge as recorded  # loaded by now, see _follow

            cases = _judged(requests, runs, terms)
            if _follow_up(cases, runs, top, settings, place, hear, may_repeat=repeat is None):
                cases = _judged(requests, runs, terms, known=cases)
        recorded.write_questions(top, requests, runs)
        return judge.report(cases)
    except BaseException:
        if made:
            shutil.rmtree(top, ignore_errors=True)  # half of the runs are good for nothing
        raise
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)


def _names(given: str | Sequence[str] | None) -> list[str]:
    return [] if given is None else [given] if isinstance(given, str) else list(dict.fromkeys(given))


def plan(names: Sequence[str], restores: Sequence[str], expect: str | None) -> list[Request]:
    """Return the cases asked for.

    Raises:
        UsageError: an unknown job or restore, or an expectation for cases that were not named.
    """
    if expect is not None and expect not in EXPECTABLE:
        raise unknown("outcome to expect", expect, EXPECTABLE)
    if expect is not None and not (names and restores):
        raise UsageError("An expected outcome is for cases asked for by name: name the job and the restore.")
    return [request for name in names or registry().default for request in _requests(name, restores, expect)]


def _requests(name: str, restores: Sequence[str], expect: str | None) -> list[Request]:
    if ":" in name:
        wanted: Sequence[str | None] = restores or [None]
        return [Request(name, restore, expect or RECOVERED) for restore in wanted]
    job = shipped(name)
    for restore in restores:
        if restore not in job.expected:
            raise unknown(f"restore of {name}", restore, job.expected)
    return [Request(name, each, expect or job.expected[each]) for each in restores or job.default_restores]


def _places(boundary: int | None, boundaries: Boundaries | str | None) -> Boundaries:
    if boundary is not None and boundaries is not None:
        raise UsageError("Give one boundary or several boundaries, not both.")
    if isinstance(boundaries, str):
        return parse_boundaries(boundaries)
    return (boundary,) if boundary is not None else () if boundaries is None else boundaries


def _check(name: str, options: Mapping[str, str], steps: int | None, boundaries: Boundaries) -> None:
    """Refuse now what a process would refuse only after the framework's import."""
    if steps is not None and not isinstance(boundaries, int):
        for boundary in boundaries:
            if isinstance(boundary, int):
                Schedule(steps, boundary, 1)
    if ":" in name:
        if options:
            raise UsageError(f"Options are for the shipped jobs; {name} takes none.")
        return
    steps_per_epoch = shipped(name).parse(options).steps_per_epoch()
    if steps_per_epoch is not None:
        make_schedule(steps_per_epoch, steps, boundaries)


@dataclass(frozen=True)
class _Settings:
    options: Mapping[str, str]
    steps: int | None
    boundaries: Boundaries
    repeats: int
    timeout: float
    unsaved: bool | None = None


def _run_all(
    requests: Sequence[Request], top: Path, settings: _Settings, place: Place | None, watch: Watch
) -> dict[str, _JobRun]:
    """Run every control, and every resumed run as soon as its control has left a crash image."""
    runs = {
        job: _JobRun(
            folder,
            [each.restore for each in requests if each.job == job and each.restore],
            repeats=settings.repeats,
            noise_asked=settings.repeats > 0,
        )
        for job, folder in _folders(top, dict.fromkeys(request.job for request in requests)).items()
    }
    groups = []
    for job, job_run in runs.items():
        control = _task(job, job_run.folder.name, settings)
        also = [replace(control, repeat=number) for number in range(1, settings.repeats + 1)]
        if settings.unsaved or (settings.unsaved is None and ":" in job):
            also.insert(0, replace(control, unsaved=True))
        groups.append(Group(control, tuple(job_run.restores) or None, tuple(also)))
    needs = Needs(preloads(runs), (CONTROL_HASH_SEED, RESUMED_HASH_SEED), settings.timeout)
    top.mkdir(parents=True, exist_ok=True)
    _follow(run_groups(groups, top, needs, place), runs, watch)
    return runs


def _follow_up(
    cases: "Sequence[Case]",
    runs: dict[str, _JobRun],
    top: Path,
    settings: _Settings,
    place: Place | None,
    watch: Watch,
    *,
    may_repeat: bool,
) -> bool:
    """Run what may tell more of cases that are not clear: a control once more, trials of a restore.

    Returns whether there was anything to run.
    """
    from ckptcheck.diagnosis import experiments as trials
    from ckptcheck.report import judge

    groups = []
    for job, found in runs.items():
        control = _task(job, found.folder.name, settings)
        mine = [case for case in cases if case.job == job]
        tasks = []
        if may_repeat and any(judge.needs_repeat(case) for case in mine):
            found.repeats = 1
            tasks.append(replace(control, repeat=1))
        if place is None:  # elsewhere the crash image is no longer at hand
            tasks += [
                replace(
                    control,
                    restore=case.restore,
                    boundary=case.resumed.facts.schedule.boundary,
                    trial=trial,
                    attributes=attributes,
                )
                for case in mine
                if case.resumed is not None
                for trial, attributes in trials.needed(case).items()
            ]
        if tasks:
            groups.append(Group(tasks[0], also=tuple(tasks[1:])))
    if groups:
        seeds = {task.hash_seed for group in groups for task in (group.first, *group.also)}
        needs = Needs(preloads(runs), tuple(sorted(seeds)), settings.timeout)
        _follow(run_groups(groups, top, needs, place), runs, watch)
    return bool(groups)


def _follow(events: Iterable[Event], runs: Mapping[str, _JobRun], watch: Watch) -> None:
    for event in events:
        # pandas and what stands on it are not needed before the processes have ended, which are only starting now.
        importlib.import_module("ckptcheck.report.judge")
        _note(runs[event.task.job], event)
        watch(event)


def _judged(
    requests: Sequence[Request],
    runs: Mapping[str, _JobRun],
    terms: Terms,
    known: "Sequence[Case]" = (),
) -> "list[Case]":
    """Judge every case; one that is known already is judged anew only where something was run since that can tell more."""
    from ckptcheck.report import judge

    evidence = {job: found.evidence() for job, found in runs.items()}
    asked = [(request.job, question) for request in requests for question in runs[request.job].questions(request)]
    before = {(case.job, case.restore, case.boundary): case for case in known}

    def judged(job: str, question: "Question") -> "Case":
        case = before.get((question.job, question.restore, question.boundary))
        if case is not None and judge.is_clear(case) and (case.noise is not None or not runs[job].repeats):
            return case
        return judge.judge(question, evidence[job], terms)

    return [judged(job, question) for job, question in asked]


def _note(job_run: _JobRun, event: Event) -> None:
    if event.kind == "usage":
        raise UsageError(event.facts["text"])
    if event.kind == "described" and event.task.restore is None and not (event.task.repeat or event.task.unsaved):
        job_run.boundaries = list(event.facts["boundaries"])
        known = event.facts["restores"]
        for each in job_run.restores:
            if each not in known:
                raise unknown("restore of this job", each, known)
        job_run.restores = job_run.restores or list(known)
    if event.kind == "trouble" or (event.kind == "ended" and event.facts["trouble"]):
        job_run.trouble.setdefault(event.task.run_folder.name, event.facts.get("text") or event.facts["trouble"])


def _folders(top: Path, names: Iterable[str]) -> dict[str, Path]:
    """Return a folder for each job, named as the job as far as a folder can be."""
    folders: dict[str, Path] = {}
    for name in names:
        place, _, attribute = name.rpartition(":")
        readable = f"{Path(place).stem}-{attribute}" if place else name.replace("/", "-")
        number, free = 1, readable
        while top / free in folders.values():
            number += 1
            free = f"{readable}~{number}"
        folders[name] = top / free
    return folders


def _task(job: str, folder: str, settings: _Settings) -> Task:
    """Return what the control is to do; what a resumed run is to do differs in the restore alone."""
    own = ":" in job
    return Task(
        job=job,
        folder=folder,
        options=_absolute(settings.options),
        steps=settings.steps,
        boundaries=settings.boundaries,
        environment={} if own else shipped(job).environment,
    )


def _absolute(options: Mapping[str, str]) -> Mapping[str, str]:
    dataset = options.get("dataset", "")
    return {**options, "dataset": str(Path(dataset).resolve())} if dataset.endswith(".npz") else options
