"""The line for a command as it is: control ─▶ crash images ─▶ restarted runs ─▶ cases.

It differs from that of a job only in how the runs are made; they are judged by the same rules.
"""

import shutil
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event as Signal
from threading import Lock
from typing import Any

from ckptcheck.command.command import RUN, Command
from ckptcheck.command.runs import RESTART, CommandRuns
from ckptcheck.comparison.noise_floor import is_numeric, parts
from ckptcheck.cores import cores
from ckptcheck.diagnosis.allowances import Terms
from ckptcheck.diagnosis.settings import DIFFERENT, EQUAL
from ckptcheck.errors import unknown
from ckptcheck.job.frameworks import settings
from ckptcheck.job.plan import Settings
from ckptcheck.job.shipped import ShippedCommand
from ckptcheck.outcomes import EXPECTABLE, RECOVERED
from ckptcheck.report.case import Case
from ckptcheck.report.evidence import Evidence
from ckptcheck.report.judge import Question, experiments_for, needs_repeat
from ckptcheck.report.ranks import follows, judge_all
from ckptcheck.run.folder import amend, read
from ckptcheck.run.job_runs import Watch
from ckptcheck.run.task import ONCE, SAME_HASH
from ckptcheck.run.worker_pool import Event


@dataclass(frozen=True)
class Asked:
    """A command that is to be verified.

    Attributes:
        command: The command.
        expected: The expected outcome.
        folder: The folder of its runs.
        is_known: Whether it was measured that its outcome is no noise, if it is as expected.
    """

    command: Command
    expected: str
    folder: Path
    is_known: bool = False


@dataclass(frozen=True)
class Judged:
    """The cases of some commands or jobs, with what they were judged by."""

    cases: tuple[Case, ...] = ()
    questions: tuple[Question, ...] = ()
    evidence: Mapping[str, Evidence] = field(default_factory=dict)

    def __add__(self, other: "Judged") -> "Judged":
        return Judged(
            (*self.cases, *other.cases),
            (*self.questions, *other.questions),
            {**self.evidence, **other.evidence},
        )


class _StoppedError(Exception):
    """Ends the run of a command whose verification was given up."""


@dataclass(frozen=True)
class _Process:
    """A run of a command, as progress names it."""

    name: str


@dataclass(frozen=True)
class RunProgress:
    """Passes on how far a run has come, as events of a process."""

    command: str
    watch: Watch
    given_up: Signal
    # The steps that each run has done.
    done: dict[str, int] = field(default_factory=dict)

    def check(self) -> None:
        """Raise what ends the run, if its verification was given up."""
        if self.given_up.is_set():
            raise _StoppedError

    def began(self, run: str, first: int, steps: int | None) -> None:
        """Pass on that a run begins."""
        self._emit(run, "submitted")
        self._emit(run, "described", first=first, steps=steps)

    def planned(self, text: str) -> None:
        """Pass on what is still to come, in words."""
        self.watch(Event(_Process(self.command), "planned", {"text": text}))

    def stepped(self, run: str, done: int) -> None:
        """Pass on how many steps a run has done."""
        self.done[run] = done
        self._emit(run, "step", done=done)

    def ended(self, run: str, trouble: str | None) -> None:
        """Pass on that a run has ended."""
        self._emit(run, "ended", trouble=trouble, done=self.done.get(run))

    def _emit(self, run: str, kind: str, **facts: Any) -> None:
        name = f"{self.command} {'' if run.startswith('control') else '× '}{run}"
        self.watch(Event(_Process(name), kind, facts))


def verify_commands(
    asked: Sequence[Asked], settings: Settings, terms: Terms, watch: Watch
) -> Judged:
    """Run commands, run each again from its checkpoints, and compare: on each core one at a time.

    Args:
        asked: the commands.
        settings: the repetitions of the control, the timeout and the kinds of tensors.
        terms: what counts as equal.
        watch: called with each event.

    Raises:
        UsageError: a command cannot be started, or the request is wrong.
    """
    given_up, lock = Signal(), Lock()

    def one_at_a_time(event: Event) -> None:
        with lock:
            watch(event)

    def judged(each: Asked) -> Judged:
        progress = RunProgress(each.command.name, one_at_a_time, given_up)
        return _verified(each, settings, terms, progress)

    with ThreadPoolExecutor(cores()) as pool:
        futures = [pool.submit(judged, each) for each in asked]
        try:
            for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                future.result()  # raises what one of them raised
            return sum((future.result() for future in futures), Judged())
        finally:  # those that are still running, if one of them raised
            given_up.set()
            pool.shutdown(wait=False, cancel_futures=True)


def of_shipped(shipped: ShippedCommand, expected: str, folder: Path) -> Asked:
    """Return a shipped command, whose script is copied into the folder of its runs.

    There it is the user's own, as its author meant it: the observer does not look into what is
    installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    script = Path(shutil.copy(shipped.file, folder))
    words = (sys.executable, str(script), RUN, *shipped.arguments)
    return Asked(Command(words, title=shipped.name), expected, folder, is_known=True)


def _verified(asked: Asked, settings: Settings, terms: Terms, progress: RunProgress) -> Judged:
    command = asked.command
    runs = CommandRuns(command, asked.folder, settings, progress)
    runs.run_all()
    for number in range(1, (settings.repeats or 0) + 1):
        runs.run_control(repeat=number)
    questions = [
        Question(command.name, RESTART, asked.expected, boundary, rank=rank)
        for boundary in (runs.boundaries if len(runs.boundaries) > 1 else [None])
        for rank in (range(runs.ranks) if runs.ranks > 1 else [None])
    ]
    cases = _settled(questions, asked, runs, terms)
    # A second resume of what does not recover shows nothing of its own.
    if settings.twice and runs.boundaries and asked.expected == RECOVERED:
        (first,) = runs.boundaries
        if all(each.outcome == RECOVERED for each in cases):
            runs.resume_again()
        questions += [replace(each, boundary=runs.second, after=first) for each in questions]
        cases = _settled(questions, asked, runs, terms)
    return Judged(tuple(cases), tuple(questions), {command.name: evidence_of(runs)})


def expected_of(expect: str | Mapping[str, str] | None) -> str:
    """Return the outcome that is expected of a command, see `ckptcheck.verify`."""
    outcome = expect.get(RESTART, RECOVERED) if isinstance(expect, Mapping) else expect or RECOVERED
    if isinstance(expect, Mapping):
        for restore in expect:
            if restore != RESTART:
                raise unknown("restore to expect an outcome of", restore, [RESTART])
    if outcome not in EXPECTABLE:
        raise unknown("outcome", outcome, EXPECTABLE)
    return outcome


def evidence_of(runs: CommandRuns) -> Evidence:
    """Return the evidence that the runs of a command are judged by."""
    asked = bool(runs.settings.repeats)
    return Evidence(runs.folder, runs.trouble, runs.repeats, asked, runs.reason, runs.not_twice)


def _settled(
    questions: list[Question], asked: Asked, runs: CommandRuns, terms: Terms
) -> list[Case]:
    """Judge cases, and once more with the further runs that explain them."""
    cases = _judged(questions, runs, terms)
    unclear = [case for case in cases if not (asked.is_known and case.as_expected)]
    return _judged(questions, runs, terms) if run_more(unclear, runs) else cases


def _judged(questions: list[Question], runs: CommandRuns, terms: Terms) -> list[Case]:
    return judge_all(questions, {runs.command.name: evidence_of(runs)}, terms)


def run_more(cases: list[Case], runs: CommandRuns) -> bool:
    """Run again what explains unclear cases; return whether anything ran."""
    before = len(runs.done)
    for case in (each for each in cases if not follows(each)):
        if runs.settings.repeats is None and needs_repeat(case) and not runs.repeats:
            runs.run_control(repeat=1)
            runs.leave_out_noise()
            _try_settings(runs)
        if case.resumed is None:
            continue
        boundary, wanted = case.resumed.facts.schedule.boundary, experiments_for(case)
        if SAME_HASH in wanted:
            runs.try_again(boundary, SAME_HASH, case.after, case.restore)
        if ONCE in wanted:
            runs.try_again(boundary, ONCE, restore=case.restore)
    return len(runs.done) > before


def _try_settings(runs: CommandRuns) -> None:
    """Try what the framework knows to make the command reproducible, until one setting does.

    That is tried where two controls began alike and read the same: then numbers differ.
    """
    control, trouble = evidence_of(runs).control()
    repeat, trouble_again = evidence_of(runs).control(repeat=1)
    if control is None or repeat is None or trouble or trouble_again:
        return
    if not is_numeric(control, repeat):
        return
    tried: dict[str, str] = {}
    for setting in settings(control.facts.environment):
        tried[setting] = _came_of(setting, runs)
        if tried[setting] == EQUAL:
            break
    amend(control.folder, {"tried": tried})


def _came_of(setting: str, runs: CommandRuns) -> str:
    """Run two controls with a setting; return what came of it."""
    both = []
    for number in (0, 1):
        folder, trouble = runs.run_with(setting, number)
        if trouble or not (folder / "run.json").exists():
            return trouble or "it recorded nothing"
        both.append(read(folder))
    return DIFFERENT if parts(*both) else EQUAL
