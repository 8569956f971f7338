"""The line from case to report. Start reading here.

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

from ckptcheck.command.command import as_command
from ckptcheck.commands import Asked, Judged, expected_of, of_shipped, verify_commands
from ckptcheck.diagnosis.allowances import Terms, parse
from ckptcheck.errors import UsageError, unknown
from ckptcheck.job.given import check_names, given
from ckptcheck.job.kinds import as_kinds
from ckptcheck.job.options import as_texts
from ckptcheck.job.plan import Request, Settings, folders, named, places, plan
from ckptcheck.job.schedule import Boundaries
from ckptcheck.job.shipped import check_installed, command_named
from ckptcheck.outcomes import RECOVERED
from ckptcheck.report.case import Case
from ckptcheck.report.evidence import Evidence
from ckptcheck.report.judge import (
    Question,
    experiments_for,
    is_clear,
    judge_all,
    needs_repeat,
    report,
)
from ckptcheck.report.rejudge import write_questions
from ckptcheck.report.report import CONTROL_OF, Report
from ckptcheck.run.control_cache import ControlCache, Miss
from ckptcheck.run.dask import opened
from ckptcheck.run.job_runs import JobRuns, Verification, Watch
from ckptcheck.run.task import ONCE, UNEVALUATED, Task
from ckptcheck.run.worker_pool import Event
from ckptcheck.tolerance import Tolerance


def verify(
    job: Any = None,
    restore: str | Sequence[str] | None = None,
    *,
    suite: str | None = None,
    options: Mapping[str, Any] | None = None,
    expect: str | Mapping[str, str] | None = None,
    steps: int | None = None,
    boundary: int | None = None,
    boundaries: Boundaries | str | None = None,
    repeat: int | None = None,
    unsaved: bool | None = None,
    allow: Sequence[str] | Mapping[str, str] = (),
    kinds: Mapping[str, str] | None = None,
    resume_twice: bool = False,
    timeout: float = Settings.timeout,
    rtol: float = 0.0,
    atol: float = 0.0,
    equal_nan: bool = False,
    folder: Path | str | None = None,
    executor: Executor | str | None = None,
    cache: Path | str | None = None,
    watch: Watch | None = None,
    command: Sequence[str] | str | None = None,
    resume: Sequence[str] | str | None = None,
    writes: Path | str | None = None,
    save: int | str | None = None,
    max_steps: int | None = None,
    metric: str | None = None,
) -> Report:
    """Compare a job that was restored from its checkpoint with one that was never interrupted.

    Trains each job in a fresh process, saves in mid-run and trains on: the control. Restores the
    checkpoint in further fresh processes, trains on, and compares each with the control.

    Args:
        job: A job or several: the name of a shipped one, or your own as `package.module:name`,
            `file.py:name`, `file.py` if it defines one job, a class, or an instance. A class or an
            instance of a notebook is sent to the new processes as it is. Default: the batch-norm
            jobs.
        restore: Names of restores. Default: the usual ones of each job.
        suite: Adds every recipe of a report card to the named jobs: `keras`, `tf2`, `torch`,
            `lightning`, `transformers` or `accelerate`.
        options: Option values of shipped jobs by name; `ckptcheck jobs` lists them.
        expect: The expected outcome of the named cases: `recovered`, `diverged` or `refused`; or a
            mapping of restores to outcomes.
        steps: Length of the control in training steps. Default: 3.5 epochs.
        boundary: Steps done when the checkpoint is saved. Default: 2.5 epochs, and 2 for Keras
            jobs; with `steps`, half of them, or for Keras jobs an epoch edge near the middle.
        boundaries: Several boundaries: numbers of steps, and `first`, `mid`, `epoch` (an epoch
            edge) or `last`; or how many, spread over the run. A string is parsed as on the command
            line. One control saves at all of them, and every restore is tried from each.
        repeat: How often the control runs again. The repetitions measure the noise of the job, and
            losses after the boundary are judged against it. Default: once, and only for a run that
            equals its control at the boundary and diverges later; the case is inconclusive if the
            job is not reproducible. 0: never.
        unsaved: Whether a control that never saves also runs, to check that saving has no side
            effects. Default: for your own jobs only.
        allow: Accepted differences: names of causes, or patterns of tensor names such as `dense/*`;
            or a mapping of these to reasons, which the report shows.
        kinds: The kinds of tensors, by pattern of their names: `{"grad_acc*": "accumulator"}`. A
            job may have an attribute `kinds`, too.
        resume_twice: Whether a run that was resumed and saved is resumed again from what it saved,
            in a case of its own. It shows a job that saves less after a resume than before. The
            control then saves twice, at two boundaries; default: the second an epoch later.
        timeout: Seconds of silence after which a process is killed and its case inconclusive.
        rtol: Relative tolerance. Two floating-point values count as equal if
            |resumed − control| ≤ atol + rtol · |control|.
        atol: Absolute tolerance.
        equal_nan: Whether NaN counts as equal to NaN.
        folder: A new folder that keeps the runs and the checkpoints. Default: they are deleted.
        executor: A `concurrent.futures.Executor`, or `dask://HOST:PORT`. Each job runs there with
            its restores. Default: processes of this machine.
        cache: A folder of controls to reuse. A control is reused if its sources, data, versions,
            machine and environment variables are unchanged. A control that is trained runs
            twice, and is kept if it is reproducible.
        watch: A function that is called with each event of each process.
        command: A command in place of a job: a program and its arguments, which trains, saves, and
            goes on when it is started again. `{run}` in it stands for the folder that it writes
            into.
        resume: Further arguments of the command when it is started again.
        writes: The folder that the command writes into, if `{run}` does not name it.
        save: Which save of the command to restart from: its number, `last`, or `2 of 10` for 2
            saves spread over the first 10. Default: the second, or the only one.
        max_steps: End each run of the command after so many training steps. Default: never.
        metric: Where no training step of the command is seen: a regular expression that finds step
            and value of a metric in its output, such as `step (.+) loss (.+)`.

    Returns:
        The report. A failed case raises nothing by itself: call `Report.assert_recovered`.

    Raises:
        UsageError: The request is wrong; the message says which part.
        NotVerifiedError: A framework cannot be imported, a dataset cannot be loaded, or the
            executor cannot be reached.

    Example:
        ```python
        from ckptcheck import verify

        verify("train.py:Train", boundary=30).assert_recovered()
        ```
    """
    settings = Settings(
        as_texts(options),
        steps,
        places(boundary, boundaries),
        repeat,
        unsaved,
        timeout,
        as_kinds(kinds, "kinds"),
        resume_twice,
    )
    terms = Terms(Tolerance(rtol, atol, equal_nan), parse(allow))
    _check_what_goes_together(locals())
    watch = watch or _ignore
    if command is not None:
        settings.check(())
        asked = as_command(command, resume, writes, save, max_steps, metric)
        if resume_twice:
            asked = replace(asked, saves=asked.saves.and_next())
        with kept_or_temporary(folder) as top:
            own = folders(top, [asked.name])[asked.name]
            one = [Asked(asked, expected_of(expect), own)]
            return _reported(verify_commands(one, settings, terms, watch), top)
    jobs = given(job)
    requests = plan(named([each.name for each in jobs], suite), named(restore), expect)
    settings.check(dict.fromkeys(request.job for request in requests))
    if cache is not None and executor is not None:
        raise UsageError("A cache and an executor exclude each other: its machines may differ.")
    pickles = {each.name: each.pickled for each in jobs if each.pickled is not None}
    check_names([each.name for each in jobs if each.name not in pickles])
    of_jobs = [each for each in requests if command_named(each.job) is None]
    of_commands = [each for each in requests if each not in of_jobs]
    check_installed(filter(None, (command_named(each.job) for each in of_commands)))
    if of_commands and (cache is not None or executor is not None):
        raise UsageError(
            f"{of_commands[0].job} is a command, which takes no cache and no executor: only jobs "
            "in classes do. Verify it apart from them."
        )
    with kept_or_temporary(folder) as top, opened(executor) as place:
        reused = None if cache is None else ControlCache(Path(cache).resolve())
        verification = Verification(top, settings, place, watch, pickles, reused)
        judged, notes = _of_jobs(of_jobs, verification, terms) if of_jobs else (Judged(), {})
        judged += _of_commands(of_commands, of_jobs, settings, terms, top, watch)
        return _reported(judged, top, notes)


def _of_jobs(
    requests: Sequence[Request], verification: Verification, terms: Terms
) -> tuple[Judged, dict[str, str]]:
    """Run and judge the requested jobs; return a note on each control that a cache may hold."""
    runs = verification.run(requests)
    questions = [
        question for request in requests for question in _questions(request, runs[request.job])
    ]
    _check_expectations(requests, questions)
    evidence = _evidence(runs)
    cases = judge_all(questions, evidence, terms)
    more = _further_tasks(cases, runs, verification)
    if more:
        verification.run_more(more, runs)
        evidence = _evidence(runs)
        settled = [case if _is_settled(case, runs[case.job]) else None for case in cases]
        cases = judge_all(questions, evidence, terms, settled)
    _keep_controls(verification, runs, evidence)
    return Judged(tuple(cases), tuple(questions), evidence), _notes(runs)


def _of_commands(
    of_commands: Sequence[Request],
    of_jobs: Sequence[Request],
    settings: Settings,
    terms: Terms,
    top: Path,
    watch: Watch,
) -> Judged:
    """Run and judge the requested commands, beside the folders of the jobs."""
    by_name = folders(top, dict.fromkeys(each.job for each in [*of_jobs, *of_commands]))
    asked = [
        of_shipped(command, each.expected, by_name[each.job])
        for each in of_commands
        if (command := command_named(each.job))
    ]
    return verify_commands(asked, settings, terms, watch)


def _reported(judged: Judged, top: Path, notes: Mapping[str, str] | None = None) -> Report:
    """Write the cases beside their runs, and return the report."""
    write_questions(top, judged.evidence, judged.questions)
    whole = report(judged.cases)
    return replace(whole, environment={**whole.environment, **(notes or {})})


# What is asked of a job, and means nothing for a command.
_OF_JOBS = (
    "job",
    "restore",
    "suite",
    "options",
    "steps",
    "boundary",
    "boundaries",
    "unsaved",
    "executor",
    "cache",
)


# What is asked of a command, and means nothing for a job.
_OF_COMMANDS = ("resume", "writes", "save", "max_steps", "metric")


def _check_what_goes_together(asked: Mapping[str, Any]) -> None:
    """Raise `UsageError` for what goes with jobs alone, or with a command alone."""
    if asked["command"] is None:
        given = [name.replace("_", "-") for name in _OF_COMMANDS if asked[name] is not None]
        if given:
            raise UsageError(
                f"Only a command takes {' and '.join(given)}. Write the command after --: "
                "-- python train.py {run}."
            )
        return
    given_too = [name for name in _OF_JOBS if asked[name] not in (None, (), [], {})]
    if given_too:
        raise UsageError(
            f"A command takes no {' and no '.join(given_too)}: only jobs in classes do. Its own "
            "options are resume, save, max-steps, writes and metric."
        )


def _ignore(event: Event) -> None:
    """Do nothing with an event."""


def _keep_controls(
    verification: Verification, runs: Mapping[str, JobRuns], evidence: Mapping[str, Evidence]
) -> None:
    """Keep the controls that finished and are reproducible."""
    for name, job in runs.items():
        if not isinstance(job.cached, Miss):
            continue
        control, trouble = evidence[name].control()
        noise = evidence[name].noise(control)[0] if control and not trouble else None
        if job.trouble or noise is None:
            job.cached = Miss("it cannot be reused, because it was not shown to be reproducible")
        elif noise.first_difference or noise.evaluation_varies:
            job.cached = Miss("it cannot be reused, because the job is not reproducible")
        else:
            verification.keep(job)


def _notes(runs: Mapping[str, JobRuns]) -> dict[str, str]:
    """Say of each control whether it was reused, for the environment of the report."""
    return {f"{CONTROL_OF}{name}": job.cached.note for name, job in runs.items() if job.cached}


@contextmanager
def kept_or_temporary(folder: Path | str | None) -> Iterator[Path]:
    """Yield the folder of the runs; delete a new one if the verification fails half-way."""
    if folder is None:
        with tempfile.TemporaryDirectory(
            prefix="ckptcheck-", ignore_cleanup_errors=True
        ) as temporary:
            yield Path(temporary).resolve()
        return
    top = Path(folder).resolve()
    is_new = not top.exists()
    try:
        yield top
    except BaseException:
        if is_new:
            shutil.rmtree(top, ignore_errors=True)
        raise


def _evidence(runs: Mapping[str, JobRuns]) -> dict[str, Evidence]:
    return {
        name: Evidence(job.folder, job.trouble, job.repeats, job.noise_asked)
        for name, job in runs.items()
    }


def _questions(request: Request, runs: JobRuns) -> list[Question]:
    """Return one case for each restore and boundary of a request, and one for a second resume."""
    # The user's own job may fail before it names its restores: that still makes one case.
    restores = [request.restore] if request.restore else runs.restores or [""]
    several = len(runs.boundaries) > 1
    boundaries = runs.boundaries if several and not runs.control.twice else [None]
    questions = []
    for restore in restores:
        expected = request.by_restore.get(restore, request.expected)
        questions += [Question(request.job, restore, expected, each) for each in boundaries]
        # A second resume of what does not recover shows nothing of its own.
        if several and runs.control.twice and expected == RECOVERED:
            first, second = runs.boundaries
            questions.append(Question(request.job, restore, expected, second, first))
    return questions


def _check_expectations(requests: Sequence[Request], questions: Sequence[Question]) -> None:
    """Raise `UsageError` for an expectation of a restore that no job has."""
    known = {question.restore for question in questions}
    for request in requests:
        for restore in request.by_restore if request.restore is None else ():
            if restore not in known:
                raise unknown("restore to expect an outcome of", restore, known)


def _is_settled(case: Case, runs: JobRuns) -> bool:
    """Return whether no later run can change the judgement of a case.

    That of a second resume changes with the first.
    """
    return not case.after and is_clear(case) and (case.noise is not None or not runs.repeats)


def _further_tasks(
    cases: Sequence[Case], runs: Mapping[str, JobRuns], verification: Verification
) -> dict[str, list[Task]]:
    """Return the tasks that explain unclear cases, by job: a repetition, and experiments."""
    further: dict[str, list[Task]] = {}
    for case in cases:
        control = runs[case.job].control
        tasks = further.setdefault(case.job, [])
        if (
            verification.settings.repeats is None
            and needs_repeat(case)
            and not runs[case.job].repeats
        ):
            runs[case.job].repeats = 1
            tasks.insert(0, replace(control, repeat=1))
        if verification.place is None:  # an executor keeps no crash image for a second run
            # Cases may share an experiment with the control.
            tasks += [task for task in _experiments(case, control) if task not in tasks]
    return {job: tasks for job, tasks in further.items() if tasks}


def _experiments(case: Case, control: Task) -> list[Task]:
    if case.resumed is None:
        return []
    wanted = experiments_for(case)
    control = replace(control, boundary=case.resumed.facts.schedule.boundary)
    resumed = replace(control, restore=case.restore, after=case.after)
    tasks = [
        replace(resumed, trial=name, attributes=attributes) for name, attributes in wanted.items()
    ]
    tasks = [replace(task, after=0) if task.trial == ONCE else task for task in tasks]
    return [*tasks, replace(control, trial=UNEVALUATED)] if UNEVALUATED in wanted else tasks
