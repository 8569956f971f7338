"""Which step of the control a resumed run begins with. The command itself does not say."""

from collections.abc import Mapping, Sequence
from typing import Any

from ckptcheck.run.run import StepRecord
from ckptcheck.run.snapshots import INITIAL, began_at, boundary_point

# In this order: a position in the data is more than a count of updates.
_COUNTERS = ("fit", "global_step", "iterations")


def first_step(
    control: Mapping[str, Any],
    resumed: Mapping[str, Any],
    boundary: int,
    steps: tuple[Sequence[StepRecord], Sequence[StepRecord]],
    *,
    is_restored: bool = False,
) -> int:
    """Return the index of the control's step that a resumed run begins with.

    The framework's own counts decide, if they counted the control's steps. Without them, or where
    they were lost, the number of steps up to the common end decides, or else the first batches.

    Args:
        control: what was observed of the control.
        resumed: what was observed of the resumed run.
        boundary: the number of steps in the checkpoint.
        steps: the recorded steps of both.
        is_restored: whether the resumed run began with the control's weights at the checkpoint.
    """
    counted = [
        place
        for name in _COUNTERS
        if (place := _by_counter(name, control, resumed, boundary)) is not None
    ]
    if boundary in counted:
        return boundary
    ended = not (control["stopped"] or resumed["stopped"])
    left = control["steps"] - resumed["steps"]
    if ended and left == boundary:
        return boundary
    by_batch = _by_batch(*steps)
    if by_batch is not None:
        return by_batch
    if is_restored:
        return boundary
    if ended and left == 0:
        return 0
    # Without any of these the tensors decide: those of a run that begins anew are initial.
    return counted[0] if counted else left if ended and left > 0 else boundary


def skipped_steps(
    control: Mapping[str, Any],
    resumed: Mapping[str, Any],
    boundary: int,
    steps: tuple[Sequence[StepRecord], Sequence[StepRecord]],
) -> int:
    """Return how many steps a resumed run made before the restore that it goes on from.

    Of the restores after its first steps, that one counts after which it begins with the step after
    the checkpoint. If it begins so without any of them, or with none, no step is skipped.

    Args:
        control, resumed, boundary, steps: see `first_step`.
    """
    late: Sequence[int] = resumed["restored_late"]
    for skipped in (0, *late):
        seen = without(resumed, boundary, skipped)
        left = steps[0], steps[1][skipped:]
        if seen["steps"] and first_step(control, seen, boundary, left) == boundary:
            return skipped
    return 0


def without(resumed: Mapping[str, Any], boundary: int, skipped: int) -> Mapping[str, Any]:
    """Return what was observed of a run without its first steps."""
    point = boundary_point(boundary)
    counted = resumed["counters"].get(began_at(point, skipped), {})
    return {
        **resumed,
        "steps": resumed["steps"] - skipped,
        "counters": {**resumed["counters"], point: counted},
    }


def _by_counter(
    name: str, control: Mapping[str, Any], resumed: Mapping[str, Any], boundary: int
) -> int | None:
    """Return the step by a framework's count; None: it did not count the control's steps."""
    point = boundary_point(boundary)
    start = control["counters"].get(INITIAL, {}).get(name)
    there = control["counters"].get(point, {}).get(name)
    now = resumed["counters"].get(point, {}).get(name)
    if start is None or there is None or now is None or there - start != boundary:
        return None
    return max(0, int(now - start))


def _by_batch(control: Sequence[StepRecord], resumed: Sequence[StepRecord]) -> int | None:
    """Return the only place in the control where the first batches of the resumed run follow."""
    wanted = [step.batch for step in resumed[:3]]
    if not wanted or None in wanted:
        return None
    seen = [step.batch for step in control]
    places = [place for place in range(len(seen)) if seen[place : place + len(wanted)] == wanted]
    return places[0] if len(places) == 1 else None
