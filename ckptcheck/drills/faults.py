"""One fault of a drill: the disk fails a save, and the command is started again."""

import contextlib
import filecmp
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ckptcheck.command.command import RUN
from ckptcheck.command.launch import OUTPUT
from ckptcheck.command.reasons import why_failed, why_not_observed
from ckptcheck.command.resumed import observed
from ckptcheck.drills.drilled import Cut, Noticed, Reaction, Row
from ckptcheck.drills.killing import Killed, run_and_kill
from ckptcheck.drills.on_disk import OnDisk, on_disk
from ckptcheck.drills.points import AFTER_SAVE, DISK_FULL, READ_ONLY, Point, trigger_of
from ckptcheck.drills.tried import Drill, Left, restarted, without_images
from ckptcheck.drills.watching import Death
from ckptcheck.observer.faults import is_as_before, is_in_place
from ckptcheck.observer.files import may_be_checkpoint
from ckptcheck.observer.observation import OBSERVED, TROUBLE
from ckptcheck.observer.request import Fault
from ckptcheck.outcomes import INCONCLUSIVE
from ckptcheck.run.folder import control_of, crash_image_of, killed_of
from ckptcheck.run.task import CONTROL_HASH_SEED
from ckptcheck.text_safety import clipped, first_sentence, legible

NOT_STOPPED = (
    "This user writes to read-only files and folders here. Run the drill as a different user, or "
    "as root with setpriv (util-linux), on a file system that has modes."
)
# The superuser may write whatever the mode, unless this is taken from it.
_WITHOUT_OVERRIDE = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
_MOST_SAID = 160  # characters
_ERROR = re.compile(
    r"error|exception|fail|warn|cannot|can't|could not|unable|too large|denied|read-only|no space",
    re.IGNORECASE,
)


_RAISED = re.compile(r"[\w.]*(Error|Exception|Warning): ")
# TensorFlow writes the operation before the error of one.
_NODE = re.compile(r"^\{\{function_node .*?\}\} ?")


def prefix_without_override(folder: Path) -> Sequence[str] | None:
    """Return what starts a command so that modes stop its writes; None: nothing does.

    Args:
        folder: the folder that the command will write into, or one beside it.
    """
    probe = Path(tempfile.mkdtemp(dir=folder))
    try:
        probe.chmod(0o555)
        for prefix in ((), _WITHOUT_OVERRIDE):
            # Where setpriv itself fails, the command would not start.
            if _runs([*prefix, "true"]) and not _runs([*prefix, "mkdir", str(probe / "new")]):
                return prefix
            shutil.rmtree(probe / "new", ignore_errors=True)
    finally:
        probe.chmod(0o700)
        shutil.rmtree(probe)
    return None


def _runs(words: Sequence[str]) -> bool:
    """Return whether a program is there, and does what it is asked for."""
    with contextlib.suppress(OSError):
        return not subprocess.run(words, capture_output=True, check=False).returncode
    return False


def try_fault(drill: Drill, point: Point, prefix: Sequence[str] = ()) -> Row:
    """Let a save of the command meet a fault, start the command again, and judge what it does.

    Args:
        drill: what every point shares.
        point: the fault, and the save.
        prefix: what starts the command so that the fault stops its writes.
    """
    runs, save = drill.runs, drill.saves[point.save - 1]
    folder = killed_of(runs.folder, point.label)
    before, after = _around(drill, point)
    # From the last step before the save on, so that the save meets it however it begins.
    fault = Fault(save.done - 1, _limit(point.name, before, after))
    request = replace(without_images(runs, folder), fault=fault)
    runs.progress.began(point.label, 0, drill.steps)
    runs.make_place()
    trigger = trigger_of(Point(AFTER_SAVE, point.save), drill.saves, drill.steps)
    killed = run_and_kill(runs, request, CONTROL_HASH_SEED, trigger, prefix=prefix)
    runs.progress.ended(point.label, None)
    noticed = _noticed(killed, trigger.steps, control_of(runs.folder) / OUTPUT, runs.place)
    killed = _ended(killed)
    disk = on_disk(killed.found, before, after, point.save, over=False)
    why = _why_unknown(killed)
    # The control's files may have other bytes than those of this run, such as times.
    if not why and is_as_before(killed.folder, killed.found):
        disk = OnDisk(False, False, f"nothing of save {point.save}")
    if why:
        return Row(point.label, disk.text, INCONCLUSIVE, killed.done, reason=why, cut=Cut.FAULT)
    row = restarted(drill, point.label, Left(killed, disk, _finished(drill, point)))
    was_saved = row.went_on_at is not None and row.went_on_at >= save.done
    return replace(row, cut=Cut.FAULT, noticed=replace(noticed, was_saved=was_saved))


def _around(drill: Drill, point: Point) -> tuple[Path | None, Path]:
    """Return the control's folder before and after the save; before the first, it is empty."""
    folder, saves = drill.runs.folder, drill.saves
    before = crash_image_of(folder, saves[point.save - 2].done) if point.save > 1 else None
    return before, crash_image_of(folder, saves[point.save - 1].done)


def _limit(name: str, before: Path | None, after: Path) -> int | None:
    """Return the size that no file may grow past; None: the fault is a different one."""
    if name in (DISK_FULL, READ_ONLY):
        return 0 if name == DISK_FULL else None
    written = [
        path
        for path in after.rglob("*")
        if path.is_file() and may_be_checkpoint(path.name) and not _is_same(path, before, after)
    ]
    return max((path.stat().st_size for path in written), default=0) // 2


def _is_same(path: Path, before: Path | None, after: Path) -> bool:
    old = None if before is None else before / path.relative_to(after)
    return old is not None and old.is_file() and filecmp.cmp(old, path, shallow=False)


def _finished(drill: Drill, point: Point) -> int:
    """Return the steps in the last save that was finished before the fault; 0: none was.

    One that a thread makes may last until then.
    """
    earlier = drill.saves[: point.save - 1]
    begins = drill.saves[point.save - 1].done - 1
    over = (save.done for save in earlier if save.ended == save.done or save.ended < begins)
    return max(over, default=0)


def _ended(killed: Killed) -> Killed:
    """Return a run that ended by itself as one that was killed then."""
    if killed.death is not None:
        return killed
    done = killed.done
    if (killed.folder / OBSERVED).exists():  # what was shown last may be a step behind
        done = observed(killed.folder)["steps"]
    at = max(killed.steps_at.values(), default=0.0)
    return replace(killed, done=done, death=Death(done, at))


def _why_unknown(killed: Killed) -> str:
    """Return why a run tells nothing of its fault; empty: it does."""
    note = killed.folder / TROUBLE
    if note.exists():
        return why_not_observed(note.read_text(encoding="utf-8"))
    if is_in_place(killed.folder):
        return ""
    how = f": {why_failed(killed.status, killed.folder, '')}" if killed.status else ""
    return f"It ended before the fault{how.rstrip('.')}."


def _noticed(killed: Killed, over: int, control: Path, place: Path) -> Noticed:
    """Return whether a run noticed its fault.

    Args:
        killed: the run.
        over: the steps after which it is killed.
        control: the output of a run without a fault.
        place: the folder that it writes into, which is `{run}` in what is said.
    """
    new = _short(_new_error(killed.folder / OUTPUT, control), place)
    if killed.death is not None or killed.done >= over:
        return Noticed(Reaction.SAID if new else Reaction.WENT_ON, new)
    if killed.is_silent:
        return Noticed(Reaction.SILENT)
    said = _short(_error(killed.folder, place), place)
    if killed.status == 0:
        return Noticed(Reaction.ENDED, said or new)
    how = why_failed(killed.status, killed.folder, "").removeprefix("it ").removeprefix("was ")
    return Noticed(Reaction.FAILED, said or _short(how, place))


def _error(folder: Path, place: Path) -> str:
    """Return the exception that ended a run; empty: none was seen."""
    with contextlib.suppress(OSError):
        failure = observed(folder)["failure"]
        if failure:
            text = first_sentence(failure["message"].replace(str(place), RUN))
            return f"{failure['type']}: {_NODE.sub('', text)}"
    return ""


def _new_error(output: Path, control: Path) -> str:
    """Return the line of an output that tells of an error, and that the control lacks."""
    known = set(_lines(control))
    new = [line for line in _lines(output) if line not in known and _ERROR.search(line)]
    # A traceback ends with what happened.
    return next(filter(_RAISED.match, new), new[0] if new else "")


def _lines(output: Path) -> list[str]:
    return [line.strip() for line in output.read_text("utf-8", errors="replace").splitlines()]


def _short(text: str, place: Path) -> str:
    text = " ".join(text.split()).replace(str(place), RUN)
    return clipped(legible(text), _MOST_SAID).rstrip(".")
