"""A comparison as a whole: exact, equal, equal at the boundary."""

from dataclasses import replace

import pytest

from ckptcheck.comparison.compare import compare
from ckptcheck.comparison.comparison import Comparison, moving_statistics
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from tests.builder import changed, control, resumed

CLEAN = compare(control(), resumed(control()))
TENSOR, STEP, EVALUATION = CLEAN.tensors[0], CLEAN.steps[0], CLEAN.evaluations[0]


def of(**changes: object) -> Comparison:
    return replace(CLEAN, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("comparison", "exact", "equal", "equal_at_boundary"),
    [
        (CLEAN, True, True, True),
        (of(tensors=(replace(TENSOR, equal=False, identical=False),)), False, False, False),
        (of(tensors=(replace(TENSOR, identical=False),)), False, True, True),
        (
            of(tensors=(replace(TENSOR, equal=False, identical=False, late=True),)),
            False,
            False,
            True,
        ),
        (
            of(tensors=(replace(TENSOR, equal=False, identical=False, point="final"),)),
            False,
            False,
            True,
        ),
        (of(steps=(replace(STEP, equal=False, identical=False),)), False, False, True),
        (of(steps=(replace(STEP, identical=False),)), False, True, True),
        (of(steps=(replace(STEP, batch_equal=False),)), False, False, True),
        (of(steps=(replace(STEP, rate_equal=False),)), False, False, True),
        (of(steps=(replace(STEP, draws_equal=False),)), False, False, True),
        (of(steps=(replace(STEP, hyperparameters_equal=False),)), False, False, True),
        (of(evaluations=(replace(EVALUATION, equal=False, identical=False),)), False, False, True),
        (of(evaluations=(replace(EVALUATION, identical=False),)), False, True, True),
        (of(first_step=(5, 4)), False, False, False),
        (of(first_step=(5, None)), False, False, False),
        # Hints are not differences.
        (
            of(attributes={"wait": (1.0, 2.0)}, generators=("numpy",), renamed={"w": "v"}),
            True,
            True,
            True,
        ),
    ],
)
def test_as_a_whole(
    comparison: Comparison, exact: bool, equal: bool, equal_at_boundary: bool
) -> None:
    assert (comparison.exact, comparison.equal, comparison.equal_at_boundary) == (
        exact,
        equal,
        equal_at_boundary,
    )


def test_tensors_by_their_point() -> None:
    assert [row.point for row in CLEAN.boundary] == ["boundary"] * 6
    assert [row.point for row in CLEAN.final] == ["final"] * 6
    assert (*CLEAN.boundary, *CLEAN.final) == CLEAN.tensors


def test_the_evaluation_at_the_boundary() -> None:
    assert CLEAN.evaluation == EVALUATION
    assert of(evaluations=()).evaluation is None


def test_moving_statistics() -> None:
    assert [row.name for row in moving_statistics(CLEAN)] == ["mean"]


def test_one_form() -> None:
    assert TENSOR.same_form
    assert not replace(TENSOR, resumed_dtype="float64").same_form
    assert not replace(TENSOR, resumed_shape="(6,)").same_form
    assert not replace(TENSOR, resumed_dtype="", resumed_shape="").same_form


def test_a_tensor_of_the_resumed_run_alone_keeps_its_kind() -> None:
    more = changed(resumed(control()), boundary={"more": Tensor(Kind.SLOT, TENSOR_VALUE)})
    found = compare(control(), more).boundary[-1]
    assert (found.name, found.kind, found.control_dtype) == ("more", Kind.SLOT, "")


TENSOR_VALUE = control().boundary["w"].value
