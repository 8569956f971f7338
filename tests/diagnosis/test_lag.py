"""Moving statistics that lag: said only if the control evaluates badly, and the restore is right."""

from dataclasses import replace

import numpy as np
import pytest

from ckptcheck.comparison.compare import compare
from ckptcheck.diagnosis.lag import Lag, lag
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from ckptcheck.run.run import Run
from ckptcheck.run.snapshots import boundary_point
from tests.builder import BOUNDARY, STEPS, control, resumed

BAD, GOOD = 50.0, 0.1


def moving(momentum: float, evaluation: float) -> Run:
    """Return a control whose moving mean goes from 0 to 4, with a loss at the boundary."""
    run = control()
    means = {
        "initial": 0,
        boundary_point(3): 3,
        boundary_point(BOUNDARY): BOUNDARY,
        "final": STEPS,
    }
    snapshots = {
        point: dict(run.snapshots[point])
        | {"mean": Tensor(Kind.MOVING_STATISTIC, np.full(3, 4 * (1 - momentum**done)))}
        for point, done in means.items()
    }
    evaluations = [
        (done, evaluation if done == BOUNDARY else loss) for done, loss in run.facts.evaluations
    ]
    return replace(run, snapshots=snapshots, facts=replace(run.facts, evaluations=evaluations))


@pytest.mark.parametrize(
    ("momentum", "evaluation", "lags"),
    [(0.99, BAD, True), (0.9, BAD, True), (0.2, BAD, False), (0.99, GOOD, False)],
)
def test_lag(momentum: float, evaluation: float, lags: bool) -> None:
    ours = moving(momentum, evaluation)
    found = lag(ours, compare(ours, resumed(ours)))
    assert found == (Lag(BAD, 2 / 3, ("mean",)) if lags else None)


def test_a_loss_of_the_restore_is_no_lag() -> None:
    ours = moving(0.99, BAD)
    theirs = resumed(ours)
    lost = [(done, 70.0) for done, _ in theirs.facts.evaluations]
    theirs = replace(theirs, facts=replace(theirs.facts, evaluations=lost))
    assert lag(ours, compare(ours, theirs)) is None
