"""Optimizers that one of two runs lacks: left out where they never made a step."""

from collections.abc import Mapping

import numpy as np
import pytest

from ckptcheck.comparison.compare import compare
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from ckptcheck.run.run import Run
from tests.builder import changed, control, resumed

CONTROL = control()
RESUMED = resumed(CONTROL)


def with_optimizer(run: Run, iterations: int) -> Run:
    """Return a run with an optimizer that has made so many steps at its end."""
    owned: Mapping[str, Tensor] = {
        "sgd/w/momentum": Tensor(Kind.SLOT, np.zeros(3)),
        "sgd/learning_rate": Tensor(Kind.HYPERPARAMETER, np.array(0.1)),
    }
    first = {**owned, "sgd/iteration": Tensor(Kind.COUNTER, np.array(0))}
    last = {**owned, "sgd/iteration": Tensor(Kind.COUNTER, np.array(iterations))}
    return changed(run, boundary=first, final=last)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (with_optimizer(CONTROL, 0), RESUMED),
        (CONTROL, with_optimizer(RESUMED, 0)),
        (with_optimizer(CONTROL, 0), with_optimizer(RESUMED, 0)),
    ],
)
def test_an_optimizer_that_never_steps_makes_no_difference(ours: Run, theirs: Run) -> None:
    assert compare(ours, theirs).equal


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (with_optimizer(CONTROL, 3), RESUMED),
        (CONTROL, with_optimizer(RESUMED, 3)),
        (with_optimizer(CONTROL, 3), with_optimizer(RESUMED, 0)),
    ],
)
def test_one_that_steps_does(ours: Run, theirs: Run) -> None:
    assert not compare(ours, theirs).equal


def test_weights_beside_a_count_stay() -> None:
    also = {
        "model/iterations": Tensor(Kind.COUNTER, np.array(0)),
        "model/kernel": Tensor(Kind.WEIGHT, np.ones(3)),
    }
    comparison = compare(changed(CONTROL, boundary=also, final=also), RESUMED)
    missing = {row.name for row in comparison.boundary if not row.equal}
    assert "model/kernel" in missing
