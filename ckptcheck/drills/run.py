"""The line of a drill. Start reading here.

command ─▶ two runs that are not killed ─▶ kill ─▶ what lies there ─▶ restart ─▶ case ─▶ row

The first run shows when the command saves, the second is the control. Both must be equal: what a
killed run leaves is compared with a control of which it is no part.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event as Signal
from typing import Any

from ckptcheck.command.command import Command, Saves
from ckptcheck.command.reasons import why_failed, why_no_image, why_no_step, why_not_observed
from ckptcheck.command.resumed import observed
from ckptcheck.command.runs import CommandRuns
from ckptcheck.commands import RunProgress
from ckptcheck.comparison.noise_floor import first_difference
from ckptcheck.counts import counted
from ckptcheck.crash_states.strace_log import why_not
from ckptcheck.diagnosis.allowances import Terms, parse
from ckptcheck.drills.asked import asked_for
from ckptcheck.drills.cases import case_of
from ckptcheck.drills.crashes import LOG, Attempt, attempts_at, first_of, images_of
from ckptcheck.drills.drilled import INTERRUPTED, DrillReport, Row, Timeline
from ckptcheck.drills.faults import NOT_STOPPED, prefix_without_override, try_fault
from ckptcheck.drills.killing import Killed, run_and_kill
from ckptcheck.drills.points import (
    FAULTS,
    READ_ONLY,
    STEPS_OF_RESTART,
    TERM,
    Point,
    parse_points,
    parse_saves,
    trigger_of,
)
from ckptcheck.drills.saves import Save, routine_of, saves_of
from ckptcheck.drills.seen_states import attempts_seen
from ckptcheck.drills.sentences import told
from ckptcheck.drills.tried import Drill, try_point
from ckptcheck.errors import NotVerifiedError, UsageError
from ckptcheck.job.plan import Settings, folders
from ckptcheck.observer.observation import OBSERVED, TROUBLE
from ckptcheck.pipeline import kept_or_temporary
from ckptcheck.report.judge import report
from ckptcheck.run.folder import control_of, read
from ckptcheck.run.job_runs import Watch
from ckptcheck.run.task import CONTROL_HASH_SEED
from ckptcheck.tolerance import Tolerance

GRACE = 30.0  # seconds, as most clusters give
# The saves after SIGTERM at which the control's state is recorded at once; see also `tried`.
_LATER = 4
# What a try takes, in runs: a part of one, and then the rest of it in a new process.
_COST = 1.5
_MOST_PLACES = 4
_SEEN_ALONE = "The states of a save are those that were seen between two changes of its files."


def drill(
    command: Sequence[str] | str | type,
    *,
    points: Sequence[str] | str | None = None,
    saves: Sequence[int] | str | int | None = None,
    faults: bool = False,
    states: bool = False,
    budget: float | None = None,
    grace: float = GRACE,
    resume: Sequence[str] | str | None = None,
    writes: Path | str | None = None,
    max_steps: int | None = None,
    timeout: float = Settings.timeout,
    allow: Sequence[str] | Mapping[str, str] = (),
    rtol: float = 0.0,
    atol: float = 0.0,
    equal_nan: bool = False,
    folder: Path | str | None = None,
    watch: Watch | None = None,
) -> DrillReport:
    """Kill a command for real at the points of a save, start it again, and compare.

    Runs the command twice without a kill: both runs must be equal. Then runs it once for each
    point, kills all of its processes there, starts the same command again, and compares with the
    run that was not killed.

    Args:
        command: A program and its arguments, which trains, saves, and goes on when it is started
            again. `{run}` in it stands for the folder that it writes into. Or a job, as `verify`
            takes it: it trains four epochs, and saves after each into the same folder.
        points: Where to kill: `first-event`, `mid` or `before-commit` of a save; `after-save`;
            `between` two saves; `restart` (killed again within its first steps); `term` (SIGTERM,
            the grace period, then SIGKILL). Default: all.
        saves: The numbers of the saves to kill at, from 1. Default: the second, or the only one.
        faults: Whether each of these saves meets a full disk, a read-only folder and a short write,
            too. Shows whether the command notices, and whether the last good checkpoint is still
            there.
        states: Whether every crash state of these saves is tried, too: all that a process can leave
            that is killed in the middle of the save, and what a power failure can. The first run
            is traced with strace, and the command is started again from each kind of state. Where
            strace cannot be used, the states are those that are seen between two changes of files.
        budget: Seconds after which no further point is tried. Default: no limit.
        grace: Seconds between SIGTERM and SIGKILL.
        resume: Further arguments of the command when it is started again.
        writes: The folder that the command writes into, if `{run}` does not name it.
        max_steps: End each run after so many training steps. Default: never.
        timeout: Seconds without a step after which a run is killed.
        allow: Accepted differences, see `verify`.
        rtol, atol, equal_nan: What counts as equal, see `verify`.
        folder: A new folder that keeps the runs and what they left. Default: they are deleted.
        watch: A function that is called with each event of each run.

    Returns:
        The report. A failed point raises nothing by itself: call `DrillReport.assert_recovered`.
        Interrupted with Ctrl-C, it has what was tried before.

    Raises:
        UsageError: The request is wrong; the message says which part.
        NotVerifiedError: The command fails without a kill, saves nothing, or is not reproducible.

    Example:
        ```python
        from ckptcheck import drill

        drill("python train.py {run}", points="mid,restart").assert_recovered()
        ```
    """
    names, numbers = parse_points(points), parse_saves(saves)
    settings = Settings(repeats=0, timeout=timeout)
    settings.check(())
    _check(budget, grace)
    why_not_traced = why_not() if states else None
    terms = Terms(Tolerance(rtol, atol, equal_nan), parse(allow))
    asked = asked_for(command, resume, writes, max_steps)
    begun = time.monotonic()
    with kept_or_temporary(folder) as top:
        progress = RunProgress(asked.name, watch or (lambda event: None), Signal())
        runs = CommandRuns(asked, folders(top, [asked.name])[asked.name], settings, progress)
        seen, routine = _first_run(runs, numbers, is_traced=states and not why_not_traced)
        numbers = _numbers(numbers, seen)
        wanted = [Point(name, number) for name in names for number in numbers]
        control_begun = time.monotonic()
        runs = _control(runs, seen, numbers, wanted)
        took = time.monotonic() - control_begun
        has_all = states and not why_not_traced
        of_all = Drill(runs, tuple(seen), _steps(runs), grace, terms, has_all, routine)
        left_out: dict[str, str] = {}
        attempts: list[Attempt] = [
            (point.label, partial(try_point, of_all, point)) for point in wanted
        ]
        attempts += _faults(of_all, numbers, left_out) if faults else ()
        attempts += _states(of_all, numbers, left_out, why_not_traced) if states else ()
        progress.planned(_plan(len(attempts), took, budget))
        rows = _tried(attempts, budget, begun, left_out)
        timeline = Timeline(of_all.steps, tuple(save.done for save in seen))
        return _reported(asked.name, rows, timeline, left_out)


def _tried(
    attempts: Sequence[Attempt], budget: float | None, begun: float, left_out: dict[str, str]
) -> list[Row]:
    """Try one thing after the other; note what is left out once the time is over."""
    rows: list[Row] = []
    why = ""
    for label, attempt in attempts:
        if budget is not None and time.monotonic() - begun > budget:
            why = why or f"The budget of {budget:g} s was spent."
        try:
            if not why:
                rows.append(attempt())
        except KeyboardInterrupt:
            if not rows:
                raise
            why = INTERRUPTED  # what was found so far took minutes
        if why:
            left_out[label] = why
    return rows


def _plan(tries: int, seconds: float, budget: float | None) -> str:
    """Say how many tries are to come, and how long they take, if the control took `seconds`."""
    total = tries * seconds * _COST
    shown = f"{total / 60:.0f} min" if total >= 90 else f"{total:.0f} s"
    limit = "" if budget is None else f", or less with the budget of {budget:g} s"
    return f"{counted(tries, 'restart')} to try, which may take {shown}{limit}"


def _check(budget: float | None, grace: float) -> None:
    if budget is not None and not budget > 0:
        raise UsageError(f"The budget must be above 0 seconds, not {budget:g}.")
    if not grace >= 0:
        raise UsageError(f"The grace period must be 0 seconds or more, not {grace:g}.")


def _faults(drill: Drill, numbers: Sequence[int], left_out: dict[str, str]) -> Iterator[Attempt]:
    """Yield, by name, what tries the faults of each save; note those that cannot be tried."""
    unwritable = prefix_without_override(drill.runs.folder)
    for number in numbers:
        for point in (Point(name, number) for name in FAULTS):
            if point.name != READ_ONLY:
                yield point.label, partial(try_fault, drill, point)
            elif unwritable is not None:
                yield point.label, partial(try_fault, drill, point, unwritable)
            else:
                left_out[point.label] = NOT_STOPPED


def _states(
    drill: Drill, numbers: Sequence[int], left_out: dict[str, str], why_not_traced: str | None
) -> Iterator[Attempt]:
    """Yield, by name, what tries the crash states of each save; note those that nothing shows."""
    for number in numbers:
        try:
            yield from (attempts_seen if why_not_traced else attempts_at)(drill, number)
        except NotVerifiedError as error:  # the points can be tried all the same
            left_out[f"states of save {number}"] = str(error)
        if why_not_traced:
            left_out[f"power loss in save {number}"] = f"{why_not_traced} {_SEEN_ALONE}"


def _reported(
    command: str, rows: Sequence[Row], timeline: Timeline, left_out: Mapping[str, str]
) -> DrillReport:
    whole = report([case_of(row, command) for row in rows])
    drilled = DrillReport(whole.cases, whole.environment, tuple(rows), timeline, left_out)
    return replace(drilled, words=told(drilled))


# --- The runs that are not killed -----------------------------------------------------------


def _first_run(
    runs: CommandRuns, numbers: Sequence[int], *, is_traced: bool
) -> tuple[list[Save], frozenset[str]]:
    """Run the command to its end; return the saves before that, and what each step writes."""
    runs.check_place()
    folder = first_of(runs.folder)
    # Its final state is recorded only once that at a save is. A trace needs what lies there before
    # and after a save.
    saves = tuple(range(1, max(numbers or (2,)) + 1)) if is_traced else (1,)
    request = replace(runs.request(folder), saves=saves, images=str(images_of(runs.folder)))
    log = runs.folder / LOG if is_traced else None
    runs.make_place()
    runs.progress.began("first run", 0, runs.command.max_steps or None)
    ended = run_and_kill(runs, request, CONTROL_HASH_SEED, None, log)
    trouble = _trouble(ended, folder, runs.command)
    runs.progress.ended("first run", trouble or None)
    if trouble:
        raise NotVerifiedError(trouble)
    seen = observed(folder)
    dones, inside = _dones(seen), [each["is_inside"] for each in seen["saves"]]
    routine = routine_of(seen["wrote"], seen["steps"], is_known=any(inside))
    if routine and not inside:
        rare = {done for path, at in seen["wrote"].items() if path not in routine for done in at}
        dones = [done for done in dones if done in rare]
    if not dones or (inside and not any(inside)):
        raise NotVerifiedError(why_no_image(seen))
    events = [each for each in ended.events if each.path not in routine]
    return saves_of(dones, seen["steps"], events), routine


def _dones(seen: Mapping[str, Any]) -> list[int]:
    """Return the steps done at each save before the end; a written file alone may be a log."""
    known = {each["begun"] for each in seen["saves"] if each["is_inside"]}
    dones = known or set(seen["saved_after"])
    return sorted(done for done in dones if 0 < done < seen["steps"])


def _trouble(ended: Killed, folder: Path, command: Command) -> str:
    """Return why the first run shows nothing; empty: it does."""
    note = folder / TROUBLE
    if note.exists():
        return why_not_observed(note.read_text(encoding="utf-8"))
    is_seen = (folder / OBSERVED).exists()
    if ended.status and not (is_seen and observed(folder)["stopped"]):
        failed = why_failed(ended.status, folder, "")
        return f"Without a kill, the command did not finish: {failed.rstrip('.')}."
    return "" if is_seen else why_no_step(folder, command)


def _numbers(asked: Sequence[int], saves: Sequence[Save]) -> tuple[int, ...]:
    """Return the saves to kill at, by default the second one: the first overwrites nothing."""
    for number in asked:
        if number > len(saves):
            raise UsageError(
                f"There is no save {number}: the command makes {counted(len(saves), 'save')} "
                "before its last step."
            )
    return tuple(asked) or (min(2, len(saves)),)


def _control(
    runs: CommandRuns, saves: Sequence[Save], numbers: Sequence[int], points: Sequence[Point]
) -> CommandRuns:
    """Run the control, with an image of each save up to the last that is killed at."""
    first = observed(first_of(runs.folder))
    # A file that each step writes was counted as a save, too.
    counted_as_saves = _dones(first).index(saves[max(numbers) - 1].done) + 1
    images = Saves(tuple(range(1, counted_as_saves + 1)), falls_back=False)
    steps = first["steps"]
    reached = {each: trigger_of(each, saves, steps).steps for each in points}
    told = {step for each, step in reached.items() if each.name == TERM}
    # A run may save once more before it is dead, or once it was started again.
    last = max([*reached.values(), saves[max(numbers) - 1].done]) + STEPS_OF_RESTART + 1
    later = [save.done for save in saves if save.done > last][: _LATER if told else 0]
    known = [save.done for save in saves if save.done <= last]
    after = {step + more for step in told for more in (0, 1) if step + more < steps}
    runs = CommandRuns(
        replace(runs.command, saves=images),
        runs.folder,
        runs.settings,
        runs.progress,
        points=tuple(sorted({*known, *later, *after})),
    )
    runs.run_control()
    reason = runs.reason or next(iter(runs.trouble.values()), "")
    if reason:
        raise NotVerifiedError(f"The control did not finish: {reason.rstrip('.')}.")
    if runs.ranks > 1:
        raise NotVerifiedError(
            "Several ranks train. Only a command of which one process trains can be drilled; "
            "`ckptcheck verify` judges each rank."
        )
    _check_equal(runs)
    _check_saves(first, observed(control_of(runs.folder)))
    return runs


def _check_saves(first: Mapping[str, Any], control: Mapping[str, Any]) -> None:
    """Raise `NotVerifiedError` if two runs save after different steps; a thread may be late."""
    if first["written_aside"] or control["written_aside"] or _dones(first) == _dones(control):
        return
    here, there = (_places(_dones(each)) for each in (first, control))
    raise NotVerifiedError(
        f"The command saves after other steps in each run: first after {here}, then after {there}. "
        "A drill kills at the same save in each: let it save by steps or epochs, not by the time."
    )


def _places(dones: Sequence[int]) -> str:
    return ", ".join(map(str, dones[:_MOST_PLACES])) + (", …" if len(dones) > _MOST_PLACES else "")


def _check_equal(runs: CommandRuns) -> None:
    """Raise `NotVerifiedError` if two runs of the command differ."""
    difference = first_difference(read(control_of(runs.folder)), read(first_of(runs.folder)))
    if difference is not None:
        raise NotVerifiedError(
            f"The command is not reproducible: of two runs that were not killed, {difference}. "
            "Seed it, or let `ckptcheck verify` restart it from its own control."
        )


def _steps(runs: CommandRuns) -> int:
    return int(observed(control_of(runs.folder))["steps"])
