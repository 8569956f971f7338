"""What a program keeps in NumPy arrays, outside of its framework's variables: whether it came back.

Such arrays may be state, as an average of the weights is, or a record of what was done, as the
history of the losses is. Only what the steps after the save change is compared: they change all of
an average, and some places of a history.
"""

from collections.abc import Iterator

import numpy as np

from ckptcheck.arrays import Array, differing
from ckptcheck.run.run import Run
from ckptcheck.run.snapshots import (
    FINAL,
    Snapshot,
    after_point,
    boundary_point,
    outside_of,
    save_point,
)


def lost_arrays(control: Run, resumed: Run, boundary: int) -> list[str]:
    """Return the arrays of which the same steps made different values, in order of their names.

    They are looked at after the first step, at later saves, and at the end.

    Args:
        control, resumed: the runs of a command.
        boundary: the number of steps in the checkpoint.
    """
    begun = outside_of(boundary_point(boundary))
    saves = (save_point(step.number) for step in control.steps if step.number > boundary)
    later = map(outside_of, (after_point(boundary), *saves, FINAL))
    if any(begun not in run.snapshots for run in (control, resumed)):
        return []
    return sorted(
        {
            name
            for point in later
            if all(point in run.snapshots for run in (control, resumed))
            for name in _lost_at(control, resumed, begun, point)
        }
    )


def _lost_at(control: Run, resumed: Run, begun: str, point: str) -> Iterator[str]:
    ours, theirs = (_changes(run, begun, point) for run in (control, resumed))
    for name, (value, is_written) in ours.items():
        if name not in theirs or _form(theirs[name][0]) != _form(value):
            continue
        other, is_written_there = theirs[name]
        if (differing(value, other, True) & (is_written | is_written_there)).any():
            yield name


def _changes(run: Run, before: str, after: str) -> dict[str, tuple[Array, Array]]:
    """Return each array after some steps, and which of its elements they have written."""
    then: Snapshot = run.snapshots[before]
    found = {}
    for name, tensor in run.snapshots[after].items():
        value, old = tensor.value, then.get(name)
        if old is None or _form(old.value) != _form(value):
            found[name] = value, np.ones(value.shape, bool)
        else:
            found[name] = value, differing(old.value, value, True)
    return found


def _form(array: Array) -> tuple[np.dtype[np.generic], tuple[int, ...]]:
    return array.dtype, array.shape
