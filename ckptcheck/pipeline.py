"""The line itself, from case to report. A reader starts here.

case ─▶ control run ─▶ crash image ─▶ resumed run ─▶ comparison ─▶ diagnoses ─▶ report
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ckptcheck.diagnosis.allowances import Terms, parse
from ckptcheck.job.options import as_texts
from ckptcheck.job.plan import Request, Settings, named, places, plan
from ckptcheck.job.schedule import Boundaries
from ckptcheck.report.case import Case
from ckptcheck.report.evidence import Evidence
from ckptcheck.report.judge import Question, experiments_for, is_clear, judge, needs_repeat, report
from ckptcheck.report.rejudge import write_questions
from ckptcheck.report.report import Report
from ckptcheck.run.dask import opened
from ckptcheck.run.job_runs import JobRuns, Verification, Watch
from ckptcheck.run.task import UNEVALUATED, Task
from ckptcheck.tolerance import Tolerance


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
    timeout: float = Settings.timeout,
    rtol: float = 0.0,
    atol: float = 0.0,
    equal_nan: bool = False,
    folder: Path | str | None = None,
    executor: Executor | str | None = None,
    watch: Watch | None = None,
) -> Report:
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
    requests = plan(named(job, suite), named(restore), expect)
    settings = Settings(
        as_texts(options), steps, places(boundary, boundaries), repeat, unsaved, timeout
    )
    settings.check(dict.fromkeys(request.job for request in requests))
    terms = Terms(Tolerance(rtol, atol, equal_nan), parse(allow))
    with _kept_or_temporary(folder) as top, opened(executor) as place:
        verification = Verification(top, settings, place, watch or (lambda event: None))
        runs = verification.run(requests)
        questions = [
            question for request in requests for question in _questions(request, runs[request.job])
        ]
        evidence = _evidence(runs)
        cases = [judge(question, evidence[question.job], terms) for question in questions]
        more = _what_tells_more(cases, runs, verification)
        if more:
            verification.run_more(more, runs)
            evidence = _evidence(runs)
            cases = [
                case
                if _is_settled(case, runs[case.job])
                else judge(question, evidence[question.job], terms)
                for question, case in zip(questions, cases, strict=True)
            ]
        write_questions(top, evidence, questions)
    return report(cases)


@contextmanager
def _kept_or_temporary(folder: Path | str | None) -> Iterator[Path]:
    """Yield the folder of the runs; one that was made is gone where the verification breaks: half of the runs are no good."""
    if folder is None:
        with tempfile.TemporaryDirectory(
            prefix="ckptcheck-", ignore_cleanup_errors=True
        ) as temporary:
            yield Path(temporary).resolve()
        return
    top = Path(folder).resolve()
    made = not top.exists()
    try:
        yield top
    except BaseException:
        if made:
            shutil.rmtree(top, ignore_errors=True)
        raise


def _evidence(runs: Mapping[str, JobRuns]) -> dict[str, Evidence]:
    return {
        name: Evidence(job.folder, job.trouble, job.repeats, job.noise_asked)
        for name, job in runs.items()
    }


def _questions(request: Request, runs: JobRuns) -> list[Question]:
    """Return the cases that a request makes: one for each restore and boundary."""
    # A job of a user's own that failed before it could name its restores still makes one case.
    restores = [request.restore] if request.restore else runs.restores or ["(any)"]
    boundaries = runs.boundaries if len(runs.boundaries) > 1 else [None]
    return [
        Question(request.job, restore, request.expected, each)
        for restore in restores
        for each in boundaries
    ]


def _is_settled(case: Case, runs: JobRuns) -> bool:
    """Return whether nothing was run since the case was judged that can tell more of it."""
    return is_clear(case) and (case.noise is not None or not runs.repeats)


def _what_tells_more(
    cases: Sequence[Case], runs: Mapping[str, JobRuns], verification: Verification
) -> dict[str, list[Task]]:
    """Return what to run to tell more of cases that are not clear, by job: a control once more, experiments with a restore."""
    more: dict[str, list[Task]] = {}
    for case in cases:
        control = runs[case.job].control
        tasks = more.setdefault(case.job, [])
        if (
            verification.settings.repeats is None
            and needs_repeat(case)
            and not runs[case.job].repeats
        ):
            runs[case.job].repeats = 1
            tasks.insert(0, replace(control, repeat=1))
        if verification.place is None:  # elsewhere the crash image is no longer at hand
            tasks += [
                task for task in _experiments(case, control) if task not in tasks
            ]  # cases may share a control
    return {job: tasks for job, tasks in more.items() if tasks}


def _experiments(case: Case, control: Task) -> list[Task]:
    if case.resumed is None:
        return []
    wanted = experiments_for(case)
    control = replace(control, boundary=case.resumed.facts.schedule.boundary)
    resumed = replace(control, restore=case.restore)
    tasks = [
        replace(resumed, trial=name, attributes=attributes) for name, attributes in wanted.items()
    ]
    return [*tasks, replace(control, trial=UNEVALUATED)] if UNEVALUATED in wanted else tasks
