"""Arrays outside of the framework: state that was lost, and records that are none."""

from dataclasses import replace

import numpy as np
import pytest

from ckptcheck.arrays import Array
from ckptcheck.command.outside import lost_arrays
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from ckptcheck.run.run import Run
from ckptcheck.run.snapshots import after_point, boundary_point, outside_of
from tests.builder import BOUNDARY, control, resumed

CONTROL = control()
RESUMED = resumed(CONTROL)


def holding(run: Run, before: Array, after: Array) -> Run:
    """Return a run whose program keeps an array with these values before and after the step."""
    points = {boundary_point(BOUNDARY): before, after_point(BOUNDARY): after}
    added = {
        outside_of(point): {"kept": Tensor(Kind.PYTHON, value)} for point, value in points.items()
    }
    return replace(run, snapshots={**run.snapshots, **added})


AVERAGE = np.array([1.0, 2.0]), np.array([1.5, 2.5])
HISTORY = np.array([9.0, 8.0, 0.0]), np.array([9.0, 8.0, 7.0])


@pytest.mark.parametrize(
    ("ours", "theirs", "lost"),
    [
        (AVERAGE, AVERAGE, []),
        (AVERAGE, (np.zeros(2), np.array([0.5, 0.5])), ["kept"]),
        # The run that was started again has no history of the steps before it.
        (HISTORY, (np.zeros(3), np.array([0.0, 0.0, 7.0])), []),
        (HISTORY, (np.zeros(3), np.array([7.0, 0.0, 0.0])), ["kept"]),
        # Data, and a batch of a different size.
        ((np.ones(2), np.ones(2)), (np.zeros(2), np.zeros(2)), []),
        ((np.ones(2), np.ones(3)), (np.ones(2), np.ones(3)), []),
        (AVERAGE, (np.zeros(3), np.ones(3)), []),
    ],
)
def test_what_the_step_changes_counts(
    ours: tuple[Array, Array], theirs: tuple[Array, Array], lost: list[str]
) -> None:
    assert lost_arrays(holding(CONTROL, *ours), holding(RESUMED, *theirs), BOUNDARY) == lost


def test_without_a_record_nothing_is_said() -> None:
    assert lost_arrays(CONTROL, RESUMED, BOUNDARY) == []
