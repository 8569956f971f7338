"""What is known of a resumed run only once it has ended, beside its control."""

import json
import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ckptcheck.checkpoints.contents import holds_arrays, tensors_and_counts
from ckptcheck.checkpoints.errors import DamagedError
from ckptcheck.command.alignment import first_step, skipped_steps, without
from ckptcheck.command.outside import lost_arrays
from ckptcheck.command.reasons import why_unclear
from ckptcheck.job.schedule import Schedule
from ckptcheck.kinds import Kind
from ckptcheck.observer.observation import OBSERVED
from ckptcheck.run.digests import digest
from ckptcheck.run.folder import amend, read, without_first
from ckptcheck.run.run import Failure, Run, StepRecord


def settle(control: Path, resumed: Path, boundary: int, trouble: str | None) -> None:
    """Add to the record of a resumed run where it began, and what it changed.

    Args:
        control, resumed: the folders of both runs, of one rank.
        boundary: the number of steps in the checkpoint.
        trouble: how the run ended, where that was not as it should.
    """
    noted, seen = observed(control), _begun(control, resumed, boundary)
    runs = read(control), read(resumed)
    whole = _whole_batch(noted, *runs, boundary)
    ours, theirs = runs[0].steps, list(runs[1].steps)
    if whole is not None:
        theirs[0] = replace(theirs[0], batch=whole.batch, examples=whole.examples)
    first = None
    if seen["steps"]:
        is_restored = _has_weights(*runs, boundary)
        first = first_step(noted, seen, boundary, (ours, theirs), is_restored=is_restored)
    facts: dict[str, Any] = {"schedule": vars(schedule_of(noted, (boundary,)))}
    facts["first_step"] = first
    facts["unclear"] = why_unclear(noted, seen, boundary, first)
    if trouble and seen["failure"] is None:  # it ended itself, as sys.exit does
        failure = Failure("train", "SystemExit", trouble)
        facts |= {"failure": vars(failure), "finished": False}
    else:
        facts["changed_files"] = _changed_files(control, resumed)
        facts["changed_arrays"] = lost_arrays(*runs, boundary)
    amend(resumed, facts, first=first, boundary=boundary, batch=whole)


def observed(folder: Path) -> Mapping[str, Any]:
    """Return what the observer noted of a run besides its record."""
    document: Mapping[str, Any] = json.loads((folder / OBSERVED).read_text(encoding="utf-8"))
    return document


def schedule_of(seen: Mapping[str, Any], boundaries: Sequence[int]) -> Schedule:
    """Return the schedule of a run that was observed, with the saves it is compared at."""
    steps = max(2, int(seen["steps"]))
    length = int(seen["steps_per_epoch"] or steps)
    return Schedule(steps, boundaries[0], length, tuple(boundaries))


def _begun(control: Path, resumed: Path, boundary: int) -> Mapping[str, Any]:
    """Return what was observed of a resumed run from the restore on that it goes on from."""
    noted, seen = observed(control), observed(resumed)
    steps = read(control).steps, read(resumed).steps
    skipped = skipped_steps(noted, seen, boundary, steps)
    if not skipped:
        return seen
    without_first(resumed, skipped, boundary)
    return without(seen, boundary, skipped)


def _has_weights(control: Run, resumed: Run, boundary: int) -> bool:
    """Return whether a resumed run began with the control's weights at the save."""
    ours, theirs = (
        {
            name: digest(tensor.value)
            for name, tensor in run.snapshot_at(boundary).items()
            if tensor.kind is Kind.WEIGHT
        }
        for run in (control, resumed)
    )
    return bool(ours) and ours == theirs


def _whole_batch(
    seen: Mapping[str, Any], control: Run, resumed: Run, boundary: int
) -> StepRecord | None:
    """Return the control's step whose batch the first step read, in part, after the save."""
    late = seen["late_batches"].get(str(boundary))
    if not resumed.steps or late is None or resumed.steps[0].batch != late:
        return None
    return control.steps[boundary]


def _changed_files(control: Path, resumed: Path) -> list[str]:
    """Return the files that may hold state, and that are not at the end what the control left.

    Of arrays that both runs wrote, the values are compared, and of a pickle whether it is whole.
    Files whose own counts differ are of different steps, and are not compared.
    """
    ours, theirs = control / "written", resumed / "written"
    names = (path.relative_to(ours) for path in sorted(ours.rglob("*")) if path.is_file())
    return [str(name) for name in names if _is_other(ours / name, theirs / name, str(name))]


def _is_other(ours: Path, theirs: Path, name: str) -> bool:
    if not theirs.is_file():  # a number in a name may be a time, or of a step
        return not re.search(r"\d", name) and (_is_pickle(ours) or holds_arrays(ours))
    if _is_pickle(ours):
        return not _is_pickle(theirs)
    return holds_arrays(ours) and _differ(_contents(ours), _contents(theirs))


def _is_pickle(file: Path) -> bool:
    """Return whether a file begins with a pickle of protocol 2 or later, and ends with one."""
    with file.open("rb") as opened:
        begins = opened.read(1) == pickle.PROTO
        opened.seek(max(0, file.stat().st_size - 1))
        return begins and opened.read(1) == pickle.STOP


# The digest of each tensor in a file by name, and what the file counts.
_Contents = tuple[Mapping[str, str], Mapping[str, float]]


def _differ(ours: _Contents | None, theirs: _Contents | None) -> bool:
    if ours is None or theirs is None:
        return ours is not theirs
    return ours[1] == theirs[1] and ours[0] != theirs[0]


def _contents(file: Path) -> _Contents | None:
    """Return what is compared of a file; None: it cannot be read."""
    try:
        tensors, counts = tensors_and_counts(file)
    except (OSError, ValueError, DamagedError):
        return None
    return {each.name: digest(each.value) for each in tensors}, counts
