"""The line itself, from case to report. A reader starts here.

case ─▶ control run ─▶ crash image ─▶ resumed run ─▶ comparison ─▶ diagnoses ─▶ report
"""

import importlib
import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ckptcheck import jobs
from ckptcheck.datasets import is_local, load
from ckptcheck.errors import UsageError, unknown
from ckptcheck.executors import Place, opened
from ckptcheck.groups import Group, Needs
from ckptcheck.groups import run as run_groups
from ckptcheck.job import Schedule
from ckptcheck.jobs.options import parse, shown
from ckptcheck.outcomes import EXPECTABLE, RECOVERED
from ckptcheck.processes import Event
from ckptcheck.worker import CONTROL_HASH_SEED, RESUMED_HASH_SEED, Task, make_schedule

if TYPE_CHECKING:
    from ckptcheck.judge import Evidence
    from ckptcheck.report import Report

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
    trouble: dict[str | None, str] = field(default_factory=dict)

    def evidence(self) -> "Evidence":
        """Return what there is to judge."""
        from ckptcheck.judge import Evidence

        return Evidence(self.folder, self.trouble)


def verify(
    job: str | Sequence[str] | None = None,
    restore: str | Sequence[str] | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    expect: str | None = None,
    steps: int | None = None,
    boundary: int | None = None,
    timeout: float = TIMEOUT,
    equal_nan: bool = False,
    folder: Path | str | None = None,
    executor: Executor | str | None = None,
    watch: Watch | None = None,
) -> "Report":
    """Train each job, save in mid-run, restore in new processes, train on, and compare with the run that went on.

    Args:
        job: names of shipped jobs, or `package.module:name` or `file.py:name` of your own; default: the batch-norm jobs.
        restore: names of the restores; default: those that the job is usually verified with.
        options: option values of the shipped jobs by name, as in `ckptcheck jobs`.
        expect: the outcome to expect of the named cases: `recovered`, `diverged` or `refused`.
        steps: length of the control run in training steps; default: 3.5 epochs.
        boundary: number of steps done when the checkpoint is saved; default: in mid-epoch, 2.5 epochs
            from the start, or the middle of the run where `steps` is given.
        timeout: seconds without a sign of life after which a process is ended and its case inconclusive.
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
    requests = plan(_names(job), _names(restore), expect)
    for name in dict.fromkeys(request.job for request in requests):
        _check(name, texts, steps, boundary)
    if timeout <= 0:
        raise UsageError(f"The timeout must be above 0 seconds, not {timeout:g}.")
    temporary = tempfile.mkdtemp(prefix="ckptcheck-") if folder is None else None
    try:
        top = Path(temporary or folder or "").resolve()
        with opened(executor) as place:
            runs = _run_all(requests, top, _Settings(texts, steps, boundary, timeout), place, watch or (lambda event: None))
        from ckptcheck import judge  # loaded by now, see _run_all

        cases = [
            judge.judge(request.job, restore, request.expected, runs[request.job].evidence(), equal_nan=equal_nan)
            for request in requests
            # A job of a user's own that failed before it could name its restores still makes one case.
            for restore in ([request.restore] if request.restore else runs[request.job].restores or ["(any)"])
        ]
        return judge.report(cases)
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
    return [request for name in names or jobs.DEFAULT_JOBS for request in _requests(name, restores, expect)]


def _requests(name: str, restores: Sequence[str], expect: str | None) -> list[Request]:
    if ":" in name:
        wanted: Sequence[str | None] = restores or [None]
        return [Request(name, restore, expect or RECOVERED) for restore in wanted]
    shipped = jobs.shipped(name)
    for restore in restores:
        if restore not in shipped.expected:
            raise unknown(f"restore of {name}", restore, shipped.expected)
    return [Request(name, each, expect or shipped.expected[each]) for each in restores or shipped.default_restores]


def _check(name: str, options: Mapping[str, str], steps: int | None, boundary: int | None) -> None:
    """Refuse now what a process would refuse only after the framework's import."""
    if steps is not None and boundary is not None:
        Schedule(steps, boundary, 1)
    if ":" in name:
        if options:
            raise UsageError(f"Options are for the shipped jobs; {name} takes none.")
        return
    read = parse(jobs.shipped(name).options, name, options)
    if is_local(read.dataset):
        make_schedule(load(read.dataset).steps_per_epoch(read.batch_size), steps, boundary)


@dataclass(frozen=True)
class _Settings:
    options: Mapping[str, str]
    steps: int | None
    boundary: int | None
    timeout: float


def _run_all(
    requests: Sequence[Request], top: Path, settings: _Settings, place: Place | None, watch: Watch
) -> dict[str, _JobRun]:
    """Run every control, and every resumed run as soon as its control has left a crash image."""
    runs = {
        job: _JobRun(folder, [each.restore for each in requests if each.job == job and each.restore])
        for job, folder in _folders(top, dict.fromkeys(request.job for request in requests)).items()
    }
    groups = [
        Group(_task(job, job_run.folder.name, settings), tuple(job_run.restores) or None) for job, job_run in runs.items()
    ]
    needs = Needs(_modules(runs), (CONTROL_HASH_SEED, RESUMED_HASH_SEED), settings.timeout)
    top.mkdir(parents=True, exist_ok=True)
    for event in run_groups(groups, top, needs, place):
        # pandas and what stands on it are not needed before the processes have ended, which are only starting now.
        importlib.import_module("ckptcheck.judge")
        _note(runs[event.task.job], event.task.restore, event)
        watch(event)
    return runs


def _note(job_run: _JobRun, restore: str | None, event: Event) -> None:
    if event.kind == "usage":
        raise UsageError(event.facts["text"])
    if event.kind == "described" and restore is None:
        known = event.facts["restores"]
        for each in job_run.restores:
            if each not in known:
                raise unknown("restore of this job", each, known)
        job_run.restores = job_run.restores or list(known)
    if event.kind == "trouble" or (event.kind == "ended" and event.facts["trouble"]):
        job_run.trouble.setdefault(restore, event.facts.get("text") or event.facts["trouble"])


def _folders(top: Path, names: Iterable[str]) -> dict[str, Path]:
    """Return a folder for each job, named as the job as far as a folder can be."""
    folders: dict[str, Path] = {}
    for name in names:
        place, _, attribute = name.rpartition(":")
        readable = f"{Path(place).stem}-{attribute}" if place else name
        number, free = 1, readable
        while top / free in folders.values():
            number += 1
            free = f"{readable}~{number}"
        folders[name] = top / free
    return folders


def _modules(names: Iterable[str]) -> tuple[str, ...]:
    """Return what to import once for all processes. Anything missing here costs time, not truth: a process imports it."""
    return ("tensorflow",) if any(":" not in name or _mentions_tensorflow(name) for name in names) else ()


def _mentions_tensorflow(name: str) -> bool:
    place = name.rpartition(":")[0]
    if place.endswith(".py"):
        path = Path(place)
        return path.is_file() and "tensorflow" in path.read_text(encoding="utf-8", errors="replace")
    return importlib.util.find_spec("tensorflow") is not None


def _task(job: str, folder: str, settings: _Settings) -> Task:
    """Return what the control is to do; what a resumed run is to do differs in the restore alone."""
    own = ":" in job
    return Task(
        job=job,
        folder=folder,
        options=_absolute(settings.options),
        steps=settings.steps,
        boundary=settings.boundary,
        environment={} if own else jobs.shipped(job).environment,
    )


def _absolute(options: Mapping[str, str]) -> Mapping[str, str]:
    dataset = options.get("dataset", "")
    return {**options, "dataset": str(Path(dataset).resolve())} if dataset.endswith(".npz") else options
