"""What a program keeps in NumPy arrays, outside of its framework's variables: whether it came back.

Such arrays may be state, as an average of the weights is, or a record of what was done, as the
history of the losses is. Only what the first step after the save changes is compared: that step
changes all of an average, and one place of a history.
"""

import numpy as np

from ckptcheck.arrays import Array, differing
from ckptcheck.run.run import Run
from ckptcheck.run.snapshots import Snapshot, after_point, boundary_point, outside_of


def lost_arrays(control: Run, resumed: Run, boundary: int) -> list[str]:
    """Return the arrays of which the same step made different values, in order of their names.

    Args:
        control, resumed: the runs of a command.
        boundary: the number of steps in the checkpoint.
    """
    points = [outside_of(boundary_point(boundary)), outside_of(after_point(boundary))]
    if not all(point in run.snapshots for run in (control, resumed) for point in points):
        return []
    ours, theirs = (_steps(run, *points) for run in (control, resumed))
    return sorted(name for name in ours if name in theirs and _is_lost(*ours[name], *theirs[name]))


def _steps(run: Run, before: str, after: str) -> dict[str, tuple[Array, Array]]:
    """Return each array before and after the step, where its form stays."""
    then: Snapshot = run.snapshots[before]
    now: Snapshot = run.snapshots[after]
    pairs = {name: (then[name].value, now[name].value) for name in now if name in then}
    return {name: pair for name, pair in pairs.items() if _form(pair[0]) == _form(pair[1])}


def _form(array: Array) -> tuple[np.dtype[np.generic], tuple[int, ...]]:
    return array.dtype, array.shape


def _is_lost(before: Array, after: Array, before_resumed: Array, after_resumed: Array) -> bool:
    if _form(after) != _form(after_resumed):
        return False
    written = differing(before, after, True) | differing(before_resumed, after_resumed, True)
    return bool((differing(after, after_resumed, True) & written).any())
