"""Make and find rows of a comparison."""

from typing import Any

from ckptcheck import Case, Kind
from ckptcheck.comparison.comparison import EvaluationComparison, StepComparison, TensorComparison
from ckptcheck.comparison.value_origin import Origin

_TENSOR: dict[str, Any] = {
    "point": "boundary",
    "kind": Kind.WEIGHT,
    "control_dtype": "float32",
    "resumed_dtype": "float32",
    "control_shape": "(2,)",
    "resumed_shape": "(2,)",
    "equal": True,
    "identical": True,
    "late": False,
    "elements": 2,
    "differing": 0,
    "max_abs_diff": 0.0,
    "control_norm": 1.0,
    "resumed_norm": 1.0,
    "control_number": "",
    "resumed_number": "",
    "not_finite": 0,
    "origin": Origin(),
    "asked": True,
    "held": True,
    "saved_so": None,
    "as_saved": False,
    "poisoned": True,
    "control_moves": True,
    "resumed_moves": True,
}
_STEP: dict[str, Any] = {
    "control_step": 3,
    "resumed_step": 3,
    "control_loss": 0.5,
    "resumed_loss": 0.5,
    "diff": 0.0,
    "equal": True,
    "identical": True,
    "control_batch": "a",
    "resumed_batch": "a",
    "batch_equal": True,
    "control_rate": 0.1,
    "resumed_rate": 0.1,
    "rate_equal": True,
    "draws_equal": True,
    "hyperparameters_equal": True,
}


def tensor(name: str, **columns: Any) -> TensorComparison:
    """Return a restored tensor, except for the given columns."""
    return TensorComparison(name=name, **(_TENSOR | columns))


def step(**columns: Any) -> StepComparison:
    """Return a step equal to the control's, except for the given columns."""
    return StepComparison(**(_STEP | columns))


def evaluation(control: float, resumed: float, steps_done: int = 3) -> EvaluationComparison:
    """Return an evaluation, equal if its losses are."""
    same = control == resumed
    return EvaluationComparison(steps_done, control, resumed, resumed - control, same, same)


def at_boundary(case: Case) -> dict[str, TensorComparison]:
    """Return the tensors at the boundary by name."""
    assert case.comparison is not None
    return {row.name: row for row in case.comparison.boundary}
