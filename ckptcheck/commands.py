"""The line for a command as it is: control ─▶ crash images ─▶ restarted runs ─▶ report.

It differs from that of a job only in how the runs are made; they are judged by the same rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ckptcheck.command.command import Command
from ckptcheck.command.runs import RESTART, CommandRuns
from ckptcheck.diagnosis.allowances import Terms
from ckptcheck.errors import unknown
from ckptcheck.job.plan import Settings, folders
from ckptcheck.outcomes import EXPECTABLE, RECOVERED
from ckptcheck.report.case import Case
from ckptcheck.report.evidence import Evidence
from ckptcheck.report.judge import Question, experiments_for, needs_repeat, report
from ckptcheck.report.ranks import follows, judge_all
from ckptcheck.report.rejudge import write_questions
from ckptcheck.report.report import Report
from ckptcheck.run.job_runs import Watch
from ckptcheck.run.task import SAME_HASH
from ckptcheck.run.worker_pool import Event


@dataclass(frozen=True)
class _Process:
    """A run of a command, as progress names it."""

    name: str


@dataclass(frozen=True)
class _Progress:
    """Passes on how far a run has come, as events of a process."""

    command: str
    watch: Watch
    # The steps that each run has done.
    done: dict[str, int] = field(default_factory=dict)

    def began(self, run: str, first: int, steps: int | None) -> None:
        self._emit(run, "submitted")
        self._emit(run, "described", first=first, steps=steps)

    def stepped(self, run: str, done: int) -> None:
        self.done[run] = done
        self._emit(run, "step", done=done)

    def ended(self, run: str, trouble: str | None) -> None:
        self._emit(run, "ended", trouble=trouble, done=self.done.get(run))

    def _emit(self, run: str, kind: str, **facts: Any) -> None:
        name = f"{self.command} {'' if run.startswith('control') else '× '}{run}"
        self.watch(Event(_Process(name), kind, facts))


def verify_command(
    command: Command,
    expect: str | Mapping[str, str] | None,
    settings: Settings,
    terms: Terms,
    top: Path,
    watch: Watch,
) -> Report:
    """Run a command, run it again from its checkpoints, and compare.

    Args:
        command: the command.
        expect: the expected outcome, see `ckptcheck.verify`.
        settings: the repetitions of the control, the timeout and the kinds of tensors.
        terms: what counts as equal.
        top: the folder of the runs.
        watch: called with each event.

    Raises:
        UsageError: the command cannot be started, or the request is wrong.
    """
    expected = _expected(expect)
    folder = folders(top, [command.name])[command.name]
    runs = CommandRuns(command, folder, settings, _Progress(command.name, watch))
    runs.run_all()
    for number in range(1, (settings.repeats or 0) + 1):
        runs.run_control(repeat=number)
    questions = [
        Question(command.name, RESTART, expected, boundary, rank)
        for boundary in (runs.boundaries if len(runs.boundaries) > 1 else [None])
        for rank in (range(runs.ranks) if runs.ranks > 1 else [None])
    ]
    cases = judge_all(questions, {command.name: _evidence(runs)}, terms)
    if _run_more(cases, runs):
        cases = judge_all(questions, {command.name: _evidence(runs)}, terms)
    write_questions(top, {command.name: _evidence(runs)}, questions)
    return report(cases)


def _expected(expect: str | Mapping[str, str] | None) -> str:
    outcome = expect.get(RESTART, RECOVERED) if isinstance(expect, Mapping) else expect or RECOVERED
    if isinstance(expect, Mapping):
        for restore in expect:
            if restore != RESTART:
                raise unknown("restore to expect an outcome of", restore, [RESTART])
    if outcome not in EXPECTABLE:
        raise unknown("outcome", outcome, EXPECTABLE)
    return outcome


def _evidence(runs: CommandRuns) -> Evidence:
    asked = bool(runs.settings.repeats)
    return Evidence(runs.folder, runs.trouble, runs.repeats, asked, runs.reason)


def _run_more(cases: list[Case], runs: CommandRuns) -> bool:
    """Run again what explains unclear cases; return whether anything ran."""
    before = len(runs.done)
    for case in (each for each in cases if not follows(each)):
        if runs.settings.repeats is None and needs_repeat(case) and not runs.repeats:
            runs.run_control(repeat=1)
            runs.leave_out_noise()
        if case.resumed is not None and SAME_HASH in experiments_for(case):
            runs.try_again(case.resumed.facts.schedule.boundary, trial=SAME_HASH)
    return len(runs.done) > before
