"""One point of a drill: kill, look at what lies there, restart, judge."""

import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ckptcheck.command.resumed import observed
from ckptcheck.command.runs import CommandRuns
from ckptcheck.commands import evidence_of, run_more
from ckptcheck.comparison.noise_floor import first_difference
from ckptcheck.counts import filled
from ckptcheck.diagnosis.allowances import Terms
from ckptcheck.drills.drilled import BEGAN_ANEW, LOST_WORK, Cut, Row
from ckptcheck.drills.killing import Killed, run_and_kill
from ckptcheck.drills.on_disk import OnDisk, on_disk
from ckptcheck.drills.points import (
    IN_SAVE,
    RESTART,
    STEPS_OF_RESTART,
    TERM,
    Point,
    Trigger,
    trigger_of,
)
from ckptcheck.drills.saves import Save
from ckptcheck.errors import CkptcheckError
from ckptcheck.filetools.fsck import fsck
from ckptcheck.filetools.fsck_findings import Finding
from ckptcheck.kinds import Kind
from ckptcheck.observer.observation import OBSERVED
from ckptcheck.observer.request import Request
from ckptcheck.outcomes import DIVERGED, INCONCLUSIVE, RECOVERED, REFUSED
from ckptcheck.report.case import Case
from ckptcheck.report.judge import Question, judge_all
from ckptcheck.run.digests import digest
from ckptcheck.run.folder import FOUND, control_of, crash_image_of, killed_of, read, resumed_of
from ckptcheck.run.run import Run
from ckptcheck.run.snapshots import boundary_point
from ckptcheck.run.task import CONTROL_HASH_SEED, RESUMED_HASH_SEED

# A kill within a save may come too late, as all of it may last a millisecond.
_ATTEMPTS = 3
_FINISHED = (
    "It went on after SIGTERM and finished within the grace period. Give less time with --grace."
)
_ENDED = "Started again, it ended before it was killed again."
_TOO_LATE = (
    "The save was over before the kill, each time. --states tries all that a kill within it can "
    "leave."
)


@dataclass(frozen=True)
class Drill:
    """What every point of a drill shares.

    Attributes:
        runs: the runs of the command, of which the control is done.
        saves: the saves of the control, in order.
        steps: the steps of the control.
        grace: the seconds between SIGTERM and SIGKILL.
        terms: what counts as equal.
        has_states: whether every crash state is tried, too.
        routine: the files that are written at each step, and are of no save.
    """

    runs: CommandRuns
    saves: tuple[Save, ...]
    steps: int
    grace: float
    terms: Terms
    has_states: bool = False
    routine: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Left:
    """What a killed run left, really or as enumerated.

    Attributes:
        killed: the run.
        disk: what of the save is on disk.
        finished: the steps in the last save that was finished; 0: none was.
    """

    killed: Killed
    disk: OnDisk
    finished: int


def try_point(drill: Drill, point: Point) -> Row:
    """Kill the command at a point, start it again, and judge what it does.

    A kill within a save that comes too late is tried again, each time earlier.
    """
    *earlier, last = range(_ATTEMPTS if point.name in IN_SAVE else 1)
    for attempt in earlier:
        left = _killed_at(drill, point, attempt)
        if not left.disk.is_whole:
            row = _row(drill, point, left)
            if not _is_late(drill, point, left, row):
                return row
        _forget(drill.runs, point.label)
    left = _killed_at(drill, point, last)
    row = _row(drill, point, left)
    if drill.has_states or not _is_late(drill, point, left, row):
        return row
    return Row(point.label, left.disk.text, INCONCLUSIVE, left.killed.done, reason=_TOO_LATE)


def _is_late(drill: Drill, point: Point, left: Left, row: Row) -> bool:
    """Return whether a kill within a save came after it: what it left is whole, or restores so.

    A restart that lost something shows it, however late the kill came.
    """
    if point.name not in IN_SAVE or not row.is_good:
        return False
    went_on = row.went_on_at == drill.saves[point.save - 1].done
    return left.disk.is_whole or (left.disk.may_be_whole and went_on)


def _forget(runs: CommandRuns, label: str) -> None:
    """Delete the runs that were started again under a label."""
    name = resumed_of(runs.folder, label, 0).name.rpartition("@")[0]
    for folder in runs.folder.glob(f"{name}@*"):
        shutil.rmtree(folder)


def _row(drill: Drill, point: Point, left: Left) -> Row:
    """Start again what was killed at a point, and judge what it does."""
    why = _why_missed(drill, point, left)
    if why:
        return Row(point.label, left.disk.text, INCONCLUSIVE, left.killed.done, reason=why)
    _know(drill.runs, left.finished)
    if point.name == RESTART and not _kill_again(drill, point, left):
        return Row(point.label, left.disk.text, INCONCLUSIVE, left.killed.done, reason=_ENDED)
    row = restarted(drill, point.label, left)
    if point.name == TERM:
        row = replace(row, on_disk=f"{row.on_disk}; {_end_of(left.killed.status, drill.grace)}")
    is_cut = left.disk.is_begun and not left.disk.is_whole
    return replace(row, cut=Cut.IN_SAVE) if is_cut else row


def _end_of(status: int, grace: float) -> str:
    """Say how a command ended that was told to by SIGTERM."""
    if status == -signal.SIGKILL:
        return f"killed after {grace:g} s"
    return "ended by SIGTERM" if status == -signal.SIGTERM else f"ended with status {status}"


def _why_missed(drill: Drill, point: Point, left: Left) -> str:
    """Return why a run was not killed at its point; empty: it was."""
    if left.killed.death is None:
        return "It ended before this point."
    if point.name == TERM and left.killed.done >= drill.steps:
        return _FINISHED
    return ""


def _know(runs: CommandRuns, done: int) -> None:
    """Run the control again if its state at a save is unknown: SIGTERM may lead to one anywhere."""
    control = control_of(runs.folder)
    if done and boundary_point(done) not in read(control).snapshots:
        shutil.rmtree(control)
        runs.points = tuple(sorted({*runs.points, done}))
        runs.run_control()


# --- The kill -------------------------------------------------------------------------------


def _killed_at(drill: Drill, point: Point, attempt: int) -> Left:
    runs, save = drill.runs, drill.saves[point.save - 1]
    trigger = trigger_of(point, drill.saves, drill.steps, attempt)
    trigger = replace(trigger, ignored=drill.routine)
    folder = killed_of(runs.folder, point.label)
    shutil.rmtree(folder, ignore_errors=True)
    request = without_images(runs, folder)
    name = f"kill at {point.label}{f', too late, try {attempt + 1}' if attempt else ''}"
    runs.progress.began(name, 0, drill.steps)
    runs.make_place()
    if point.name == TERM:
        trigger = replace(trigger, grace=drill.grace)
    killed = run_and_kill(runs, request, CONTROL_HASH_SEED, trigger)
    runs.progress.ended(name, None)
    before = crash_image_of(runs.folder, drill.saves[point.save - 2].done)
    disk = on_disk(
        killed.found,
        before if point.save > 1 else None,
        crash_image_of(runs.folder, save.done),
        point.save,
        # A thread that saves may be slower this time.
        over=killed.done > save.ended == save.done,
        routine=drill.routine,
    )
    return Left(killed, disk, _finished(drill, point, killed, disk))


def without_images(runs: CommandRuns, folder: Path) -> Request:
    """Return the request of a run that is killed: nothing is recorded at its saves."""
    return replace(runs.request(folder), saves=(0,), images=str(folder), points=())


def _finished(drill: Drill, point: Point, killed: Killed, disk: OnDisk) -> int:
    """Return the steps in the last save that was finished; 0: none was."""
    if (killed.folder / OBSERVED).exists():  # it ended by itself, and may have saved before that
        seen = observed(killed.folder)
        dones = [each["begun"] for each in seen["saves"] if each["is_inside"]]
        if dones:
            return int(max(dones))
    if disk.is_whole:
        over = [save.done for save in drill.saves if killed.done > save.ended == save.done]
        return max([drill.saves[point.save - 1].done, *over])
    return drill.saves[point.save - 2].done if point.save > 1 else 0


def _kill_again(drill: Drill, point: Point, left: Left) -> bool:
    """Start again what was killed, and kill that, too; return whether it can be judged.

    What it leaves takes the place of what was left before, unless it failed by itself.
    """
    runs = drill.runs
    folder = killed_of(runs.folder, point.label)
    first = folder.rename(folder.with_name(f"{folder.name}~first"))
    shutil.copytree(first / FOUND, runs.place, symlinks=True)
    request = replace(
        without_images(runs, folder),
        role="resumed",
        restore=point.label,
        boundary=left.finished or drill.saves[point.save - 1].done,
    )
    killed = run_and_kill(runs, request, RESUMED_HASH_SEED, Trigger(STEPS_OF_RESTART))
    if killed.death is None and killed.status:
        shutil.rmtree(folder)
        first.rename(folder)
    return killed.death is not None or killed.status != 0


# --- The restart ----------------------------------------------------------------------------


def restarted(drill: Drill, label: str, left: Left) -> Row:
    """Start the command again from what was left under a label, and judge what it does."""
    row = _restarted(drill, label, left)
    return row if row.is_good else replace(row, findings=_findings(drill, label))


def _restarted(drill: Drill, label: str, left: Left) -> Row:
    if not left.finished:
        row = _anew(drill, label, left)
        if row is not None:
            return row
    boundary = left.finished or drill.saves[0].done
    row = _resumed(drill, label, left, boundary)
    other = _restored_from(drill, label, boundary)
    return row if other is None else _resumed(drill, label, left, other)


def _anew(drill: Drill, label: str, left: Left) -> Row | None:
    """Start again where no save was finished; return what came of it; None: it does not tell."""
    runs = drill.runs
    trouble, reason = _undisturbed(runs, lambda: runs.begin_anew(label))
    folder = resumed_of(runs.folder, label, 0)
    facts = (label, left.disk.text)
    if trouble:
        return Row(*facts, REFUSED, left.killed.done, reason=_cannot_start(trouble))
    if reason or not (folder / "run.json").exists():
        return None
    if observed(folder)["steps"] != drill.steps:
        return None
    difference = first_difference(read(control_of(runs.folder)), read(folder))
    if difference is not None:
        return None
    seconds = left.killed.seconds_since(0)
    return Row(*facts, LOST_WORK, left.killed.done, went_on_at=0, seconds=seconds)


def _resumed(drill: Drill, label: str, left: Left, boundary: int) -> Row:
    runs = drill.runs
    folder = resumed_of(runs.folder, label, boundary)
    trouble, reason = _undisturbed(runs, lambda: runs.resume(boundary, restore=label))
    case = _judged(drill, label, boundary, trouble, reason)
    first = case.resumed.facts.first_step if case.resumed else None
    row = Row(
        label,
        left.disk.text,
        case.outcome,
        left.killed.done,
        went_on_at=first,
        finished_at=left.finished,
        seconds=left.killed.seconds_since(first) if first is not None else 0.0,
        reason=case.reason or "",
        case=case,
    )
    return _told(row, trouble, reason, folder)


def _undisturbed(runs: CommandRuns, run: Callable[[], object]) -> tuple[str, str]:
    """Run something; return its own trouble, and why it shows nothing, apart from other runs."""
    known = dict(runs.trouble)
    run()
    trouble = next((text for name, text in runs.trouble.items() if name not in known), "")
    reason = runs.reason or ""
    runs.trouble.clear()
    runs.trouble.update(known)
    runs.reason = None
    return trouble, reason


def _judged(drill: Drill, label: str, boundary: int, trouble: str, reason: str) -> Case:
    runs = drill.runs
    evidence = evidence_of(runs)
    if trouble or reason:
        name = resumed_of(runs.folder, label, boundary).name
        evidence = replace(
            evidence, trouble={name: trouble} if trouble else {}, reason=reason or None
        )
    question = Question(runs.command.name, label, RECOVERED, boundary)
    (case,) = judge_all([question], {runs.command.name: evidence}, drill.terms)
    if not (trouble or reason) and run_more([case], runs):
        (case,) = judge_all([question], {runs.command.name: evidence_of(runs)}, drill.terms)
    # A drill has many rows, and a checkpoint may be large.
    control, resumed = (run and run.without_values() for run in (case.control, case.resumed))
    return replace(case, control=control, resumed=resumed)


def _told(row: Row, trouble: str, reason: str, folder: Path) -> Row:
    """Return a row with the outcome as a drill calls it, and why."""
    case = row.case
    assert case is not None
    failure = case.resumed.facts.failure if case.resumed else None
    if case.outcome == INCONCLUSIVE and trouble:
        return replace(row, outcome=REFUSED, reason=_cannot_start(trouble))
    if case.outcome == INCONCLUSIVE and failure is not None:
        return replace(row, outcome=REFUSED)
    if case.outcome == INCONCLUSIVE and reason:
        return replace(row, outcome=DIVERGED, reason=reason)
    if case.outcome == DIVERGED and row.went_on_at == 0 and not observed(folder)["restores"]:
        return replace(row, outcome=BEGAN_ANEW)
    if case.outcome != RECOVERED:
        return row
    if row.went_on_at is not None and row.went_on_at < row.finished_at:
        why = filled(
            "It went on from step {at}, although the save after {finished} "
            "{finished:step|steps} was finished.",
            at=row.went_on_at,
            finished=row.finished_at,
        )
        return replace(row, outcome=LOST_WORK, reason=why)
    return replace(row, outcome=LOST_WORK if row.twice else RECOVERED)


def _cannot_start(trouble: str) -> str:
    return f"It cannot start again: {trouble.rstrip('.')}."


def _restored_from(drill: Drill, label: str, boundary: int) -> int | None:
    """Return the save that a run restored, if it is a different one than was thought; else None."""
    runs = drill.runs
    folder = resumed_of(runs.folder, label, boundary)
    if not (folder / "run.json").exists():
        return None
    control, resumed = read(control_of(runs.folder)), read(folder)
    if boundary_point(boundary) not in resumed.snapshots:
        return None
    held = _weights(resumed, boundary)
    places = [save.done for save in drill.saves] + list(runs.points)
    same = [
        done
        for done in dict.fromkeys([boundary, *places])
        if boundary_point(done) in control.snapshots and _weights(control, done) == held
    ]
    return same[0] if same and boundary not in same else None


def _weights(run: Run, done: int) -> dict[str, str]:
    return {
        name: digest(tensor.value)
        for name, tensor in run.snapshot_at(done).items()
        if tensor.kind is Kind.WEIGHT
    }


def _findings(drill: Drill, label: str) -> tuple[Finding, ...]:
    """Return what `fsck` finds in what the killed run left, with paths in that folder."""
    found = killed_of(drill.runs.folder, label) / FOUND
    try:
        findings = fsck(found).findings
    except CkptcheckError:  # no checkpoint lies there
        return ()
    inside = [{key: _inside(text, found) for key, text in vars(each).items()} for each in findings]
    return tuple(Finding(**each) for each in inside)


def _inside(text: str, folder: Path) -> str:
    return text.replace(f"{folder}/", "")
