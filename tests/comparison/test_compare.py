"""Every column of a comparison, and what counts as equal."""

import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from ckptcheck.comparison import comparison as rows
from ckptcheck.comparison.batch_order import DataPath
from ckptcheck.comparison.compare import compare
from ckptcheck.comparison.comparison import (
    FINAL,
    Comparison,
    EvaluationComparison,
    HyperparameterDifference,
    StepComparison,
    TensorComparison,
)
from ckptcheck.comparison.equality import STRICT, Equality
from ckptcheck.comparison.noise_floor import NoiseFloor
from ckptcheck.comparison.value_origin import Origin
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from ckptcheck.run.run import Run
from ckptcheck.tolerance import Tolerance
from tests.builder import (
    AFTER,
    BOUNDARY,
    STEPS,
    Values,
    begun_at,
    changed,
    control,
    cut,
    fresh,
    renamed,
    resumed,
    value,
)

CONTROL = control()
RESUMED = resumed(CONTROL)
AT_BOUNDARY = rows.BOUNDARY
ZEROS = np.zeros((2, 3), np.float32)
W = value("w", BOUNDARY)
UP = np.nextafter(W, np.float32(9))


def row(comparison: Comparison, name: str, point: str = AT_BOUNDARY) -> TensorComparison:
    return next(each for each in comparison.tensors if (each.point, each.name) == (point, name))


def of(resumed: Run = RESUMED, control: Run = CONTROL, **equality: Any) -> Comparison:
    return compare(control, resumed, Equality(**equality))


def unequal(comparison: Comparison) -> list[tuple[str, str]]:
    return [(each.point, each.name) for each in comparison.tensors if not each.equal]


# --- Rows -------------------------------------------------------------------------------------


def test_a_clean_run_is_equal() -> None:
    comparison = of()
    assert comparison.exact
    assert comparison.equal
    assert [(each.point, each.name) for each in comparison.tensors] == [
        (point, name) for point in (AT_BOUNDARY, FINAL) for name in CONTROL.boundary
    ]
    assert (comparison.first_step, comparison.steps_after, comparison.steps_per_epoch) == (
        (5, 5),
        3,
        3,
    )
    assert comparison.never_moved == ()
    assert (comparison.batches, comparison.draws) == (DataPath(), (DataPath(),))
    assert comparison.hyperparameter is None
    assert (
        comparison.attributes,
        comparison.generators,
        comparison.renamed,
        comparison.left_out,
    ) == ({}, (), {}, {})


def test_columns_of_a_tensor_that_is_equal() -> None:
    norm = float(np.linalg.norm(W.astype(np.float64)))
    assert row(of(), "w") == TensorComparison(
        point="boundary",
        name="w",
        kind=Kind.WEIGHT,
        control_dtype="float32",
        resumed_dtype="float32",
        control_shape="(2, 3)",
        resumed_shape="(2, 3)",
        equal=True,
        identical=True,
        late=False,
        elements=6,
        differing=0,
        max_abs_diff=0.0,
        control_norm=norm,
        resumed_norm=norm,
        control_number="",
        resumed_number="",
        not_finite=0,
        origin=Origin(),
        asked=True,
        held=True,
        saved_so=None,
        as_saved=False,
        poisoned=True,
        control_moves=True,
        resumed_moves=True,
    )


def test_columns_of_a_tensor_that_differs() -> None:
    other = W.copy()
    other[0, 0], other[0, 1], other[1, 2] = np.nan, np.inf, 100
    found = row(of(changed(RESUMED, boundary={"w": other}, final={"w": other}, held=[])), "w")
    assert (found.equal, found.identical, found.differing, found.not_finite) == (False, False, 3, 2)
    assert math.isnan(found.max_abs_diff)
    assert math.isnan(found.resumed_norm)
    assert (found.asked, found.held, found.saved_so) == (True, False, False)
    assert (found.control_moves, found.resumed_moves) == (True, False)
    assert found.same_form


def test_columns_of_a_single_number() -> None:
    found = row(of(changed(RESUMED, boundary={"step": 2})), "step")
    assert (found.kind, found.control_number, found.resumed_number) == (Kind.COUNTER, "5", "2")
    assert (found.elements, found.differing, found.max_abs_diff) == (1, 1, 3.0)
    assert (found.control_norm, found.resumed_norm) == (5.0, 2.0)


@pytest.mark.parametrize(
    ("single", "text"),
    [
        (np.array(0.1), "0.1"),
        (np.array([[7]], np.int32), "7"),
        (np.array(True), "True"),
        (np.array(np.float32(0.1)), repr(float(np.float32(0.1)))),
        (np.array("word"), ""),
        (np.array(1 + 2j), ""),
        (np.array([1, 2]), ""),
    ],
)
def test_a_single_number_is_written_as_python_does(single: np.ndarray, text: str) -> None:
    ours = changed(CONTROL, boundary={"extra": Tensor(Kind.OTHER, single)})
    found = row(of(changed(RESUMED, boundary={"extra": Tensor(Kind.OTHER, single)}), ours), "extra")
    assert (found.control_number, found.resumed_number, found.equal) == (text, text, True)


def test_text_has_no_norm() -> None:
    words: Values = {"vocabulary": Tensor(Kind.OTHER, np.array(["a", "b"]))}
    others: Values = {"vocabulary": Tensor(Kind.OTHER, np.array(["a", "c"]))}
    found = row(
        of(changed(RESUMED, boundary=others), changed(CONTROL, boundary=words)), "vocabulary"
    )
    assert (found.control_dtype, found.differing, found.not_finite) == ("str32", 1, 0)
    assert all(map(math.isnan, (found.control_norm, found.resumed_norm, found.max_abs_diff)))


def test_absent_tensors() -> None:
    found = row(of(changed(RESUMED, boundary={"w": None})), "w")
    assert (found.control_dtype, found.resumed_dtype, found.control_shape, found.resumed_shape) == (
        "float32",
        "",
        "(2, 3)",
        "",
    )
    assert (found.equal, found.identical, found.elements, found.differing) == (False, False, 6, 6)
    assert math.isnan(found.resumed_norm)
    assert found.origin == Origin()
    assert not found.same_form
    other = row(of(RESUMED, changed(CONTROL, boundary={"w": None})), "w")
    assert (other.control_dtype, other.resumed_dtype, other.kind) == ("", "float32", Kind.WEIGHT)
    assert math.isnan(other.control_norm)
    assert not other.poisoned


@pytest.mark.parametrize(
    ("other", "dtype", "shape"),
    [
        (W.astype(np.float64), "float64", "(2, 3)"),
        (W.reshape(3, 2), "float32", "(3, 2)"),
        (W.astype(">f4"), "float32 in non-native byte order", "(2, 3)"),
    ],
)
def test_a_different_dtype_or_shape_is_a_difference(
    other: np.ndarray, dtype: str, shape: str
) -> None:
    found = row(
        of(changed(RESUMED, boundary={"w": other}), tolerance=Tolerance(rtol=0.9, atol=100)), "w"
    )
    assert (found.resumed_dtype, found.resumed_shape, found.equal, found.same_form) == (
        dtype,
        shape,
        False,
        False,
    )
    assert found.differing == 6
    assert math.isnan(found.max_abs_diff)


def test_zeros_with_different_signs_differ() -> None:
    ours, theirs = ZEROS + 1, ZEROS + 1
    ours[0, 0], theirs[0, 0] = 0.0, -0.0
    found = row(
        of(changed(RESUMED, boundary={"w": theirs}), changed(CONTROL, boundary={"w": ours})), "w"
    )
    assert (found.equal, found.differing, found.max_abs_diff) == (False, 1, 0.0)


def test_columns_of_a_step() -> None:
    other = changed(
        RESUMED,
        losses={6: 0.5},
        batches={6: "own"},
        rates={6: 0.05},
        draws={6: ("own",)},
        hyperparameters={6: {"decay": 0.5}},
    )
    steps = of(other).steps
    assert [each.inputs_equal for each in steps] == [True, False, True]
    assert asdict(steps[0]) == {
        "control_step": 5,
        "resumed_step": 5,
        "control_loss": 2 / 6,
        "resumed_loss": 2 / 6,
        "diff": 0.0,
        "equal": True,
        "identical": True,
        "control_batch": "batch-5",
        "resumed_batch": "batch-5",
        "batch_equal": True,
        "control_rate": 0.1,
        "resumed_rate": 0.1,
        "rate_equal": True,
        "draws_equal": True,
        "hyperparameters_equal": True,
    }
    assert steps[1] == StepComparison(
        control_step=6,
        resumed_step=6,
        control_loss=2 / 7,
        resumed_loss=0.5,
        diff=0.5 - 2 / 7,
        equal=False,
        identical=False,
        control_batch="batch-6",
        resumed_batch="own",
        batch_equal=False,
        control_rate=0.1,
        resumed_rate=0.05,
        rate_equal=False,
        draws_equal=False,
        hyperparameters_equal=False,
    )


def test_steps_are_compared_in_their_order_not_by_their_numbers() -> None:
    comparison = of(begun_at(RESUMED, 4))
    assert [(each.control_step, each.resumed_step) for each in comparison.steps] == [
        (5, 4),
        (6, 5),
        (7, 6),
    ]
    assert comparison.first_step == (5, 4)
    assert not comparison.equal
    assert not comparison.equal_at_boundary


def test_as_many_steps_as_both_made() -> None:
    comparison = of(cut(RESUMED, 2))
    assert (len(comparison.steps), comparison.steps_after) == (2, 3)


def test_columns_of_an_evaluation() -> None:
    comparison = of(changed(RESUMED, evaluations={6: 0.5}))
    assert comparison.evaluations[1] == EvaluationComparison(
        6, 1 / 6, 0.5, 0.5 - 1 / 6, equal=False, identical=False
    )
    assert [(each.steps_done, each.equal) for each in comparison.evaluations] == [
        (5, True),
        (6, False),
        (8, True),
    ]
    assert comparison.evaluation == comparison.evaluations[0]


def test_evaluations_that_both_made() -> None:
    assert [
        each.steps_done for each in of(changed(RESUMED, evaluations={6: None})).evaluations
    ] == [5, 8]
    # Several evaluations after one step are compared in order.
    twice, thrice = changed(CONTROL), changed(RESUMED)
    twice.facts.evaluations[:] = [(5, 0.1), (5, 0.2)]
    thrice.facts.evaluations[:] = [(5, 0.1), (5, 0.3), (5, 0.4)]
    assert [(each.control_loss, each.resumed_loss) for each in of(thrice, twice).evaluations] == [
        (0.1, 0.1),
        (0.2, 0.3),
    ]
    assert of(changed(RESUMED, evaluations=dict.fromkeys((5, 6, 8)))).evaluation is None


# --- Origins and keys -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("boundary", "origin"),
    [
        ({"w": fresh("w")}, Origin("fresh")),
        ({"w": value("w", 0)}, Origin("initial")),
        ({"w": value("w", 3)}, Origin("older", older=3)),
        ({"w": value("mean", 5)}, Origin("tensor", "mean")),
    ],
)
def test_origin_of_a_value_that_differs(boundary: Values, origin: Origin) -> None:
    found = row(of(changed(RESUMED, boundary=boundary)), "w").origin
    assert (found.what, found.name, found.older) == (origin.what, origin.name, origin.older)


def test_nothing_is_looked_up_at_the_end() -> None:
    assert row(of(changed(RESUMED, final={"w": value("w", 0)})), "w", FINAL).origin == Origin()


@pytest.mark.parametrize(
    ("facts", "keys"),
    [
        ({}, (True, True, False)),
        ({"values": None}, (True, True, None)),
        ({"values": []}, (True, True, True)),
        ({"asked": None}, (None, True, False)),
        ({"asked": {}}, (False, True, False)),
        ({"held": None}, (True, None, False)),
        ({"held": []}, (True, False, False)),
        ({"asked": {"mean": "layer/mean"}, "held": ["layer/mean"]}, (True, True, False)),
        # A tensor without a known key may be held by its value.
        ({"asked": {}, "held": []}, (False, True, False)),
        ({"asked": {}, "held": None}, (False, True, False)),
        ({"asked": {}, "held": None, "values": []}, (False, False, True)),
        ({"asked": None, "held": None, "values": []}, (None, False, True)),
    ],
)
def test_keys_of_a_tensor_that_was_lost(
    facts: dict[str, Any], keys: tuple[bool | None, ...]
) -> None:
    found = row(of(changed(RESUMED, boundary={"mean": ZEROS}, **facts)), "mean")
    assert (found.asked, found.held, found.saved_so) == keys


def test_a_value_that_several_tensors_have_tells_nothing() -> None:
    twin: Values = {"w/average": value("mean", BOUNDARY)}
    run = changed(RESUMED, boundary={**twin, "mean": ZEROS}, asked={}, held=None)
    assert row(of(run, changed(CONTROL, boundary=twin)), "mean").held is None
    # Unless the checkpoint does not hold it at all.
    without = changed(run, values=[])
    assert row(of(without, changed(CONTROL, boundary=twin)), "mean").held is False


def test_tensors_that_can_prove_a_restore() -> None:
    def is_poisoned(
        initial: Values, boundary: Values | None = None, ours: Values | None = None
    ) -> bool:
        control = changed(CONTROL, initial=ours, boundary=boundary)
        return row(of(changed(RESUMED, initial=initial, boundary=boundary), control), "w").poisoned

    assert is_poisoned({})
    assert not is_poisoned({"w": W})
    # A tensor that did not exist before: the control's initial value decides, or its own value.
    assert is_poisoned({"w": None})
    assert not is_poisoned({"w": None}, {"w": value("w", 0)})
    assert is_poisoned({"w": None}, {"w": value("w", 3)}, {"w": None})
    assert not is_poisoned({"w": None}, {"w": ZEROS}, {"w": None})
    # NaN proves no difference.
    assert not is_poisoned({"w": ZEROS + np.float32(np.nan)}, {"w": ZEROS - np.float32(np.nan)})


def test_tensors_that_change_after_the_boundary() -> None:
    found = row(of(changed(RESUMED, final={"w": W})), "w")
    assert (found.control_moves, found.resumed_moves) == (True, False)
    gone = row(of(changed(RESUMED, final={"w": None})), "w")
    assert gone.resumed_moves
    nan: Values = {"w": ZEROS + np.float32(np.nan)}
    assert not row(of(changed(RESUMED, boundary=nan, final=nan)), "w").resumed_moves


def test_a_metric_is_unread() -> None:
    ours = control({"accuracy": Kind.METRIC})
    comparison = of(changed(resumed(ours), boundary={"accuracy": np.array(0.0)}), ours)
    found = row(comparison, "accuracy")
    assert (found.equal, found.unread) == (False, True)
    assert comparison.exact
    assert comparison.equal_at_boundary


def test_tensors_that_never_change_in_the_control() -> None:
    still: Values = {"mean": ZEROS}
    assert of(RESUMED, changed(CONTROL, boundary=still, final=still)).never_moved == ("mean",)
    assert of(RESUMED, changed(CONTROL, boundary=still)).never_moved == ()
    assert of(RESUMED, changed(CONTROL, boundary=still, final={"mean": None})).never_moved == ()
    # Hyperparameters may be constant; NaN equals NaN.
    settings = control({"rate": Kind.HYPERPARAMETER})
    assert of(resumed(settings), settings).never_moved == ()
    nan: Values = {"mean": ZEROS + np.float32(np.nan)}
    assert of(RESUMED, changed(CONTROL, initial=nan, boundary=nan, final=nan)).never_moved == (
        "mean",
    )


# --- Tensors created in the first step --------------------------------------------------------

LATE_CONTROL = changed(
    CONTROL,
    boundary={"new": Tensor(Kind.SLOT, value("new", 5))},
    after={"new": Tensor(Kind.SLOT, value("new", 6))},
)


def test_late_tensors_are_compared_after_the_step() -> None:
    comparison = of(
        changed(RESUMED, after={"new": Tensor(Kind.SLOT, value("new", 6))}), LATE_CONTROL
    )
    assert (row(comparison, "new").late, row(comparison, "new").equal) == (True, True)
    assert [each.name for each in comparison.boundary if each.late] == ["new"]
    other = of(changed(RESUMED, after={"new": Tensor(Kind.SLOT, ZEROS)}), LATE_CONTROL)
    found = row(other, "new")
    assert (found.late, found.equal, found.origin.what) == (True, False, "anew")
    # The step may have changed it: it does not count at the boundary.
    assert other.equal_at_boundary
    assert not other.equal


def test_a_tensor_that_is_never_created_is_absent() -> None:
    comparison = of(changed(RESUMED, after={}), LATE_CONTROL)
    assert (row(comparison, "new").late, row(comparison, "new").resumed_dtype) == (False, "")
    assert not comparison.equal_at_boundary
    # Nor is a tensor late if the control lacks it after the step.
    gone = changed(CONTROL, boundary={"new": Tensor(Kind.SLOT, ZEROS)}, after={})
    assert not row(of(changed(RESUMED, after={"new": Tensor(Kind.SLOT, ZEROS)}), gone), "new").late


def test_noise_may_explain_late_tensors() -> None:
    noise = NoiseFloor(1, final={"new": 1.0}, first_difference="…")
    theirs = changed(RESUMED, after={"new": Tensor(Kind.SLOT, value("new", 6) + np.float32(1))})
    found = row(of(theirs, LATE_CONTROL, noise=noise), "new")
    assert (found.equal, found.identical) == (True, False)


# --- Patterns ---------------------------------------------------------------------------------


def test_patterns_accept_differences_at_the_boundary() -> None:
    other = changed(
        RESUMED, boundary={"w": ZEROS, "w/momentum": ZEROS}, final={"w": ZEROS, "w/momentum": ZEROS}
    )
    comparison = of(other, left_out=("w", "w/*", "v*"))
    assert comparison.left_out == {"w": ("w",), "w/*": ("w/momentum",), "v*": ()}
    assert (
        unequal(comparison) == []
    )  # what is matched at the boundary counts as equal in the end, too
    assert not comparison.exact
    assert not row(comparison, "w", FINAL).identical
    # The origin of the value is still known.
    assert row(comparison, "w").origin.what == "zero"


def test_patterns_leave_out_nothing_that_is_equal_at_the_boundary() -> None:
    comparison = of(changed(RESUMED, final={"w": ZEROS}), left_out=("w",))
    assert comparison.left_out == {"w": ()}
    assert unequal(comparison) == [(FINAL, "w")]


def test_patterns_are_those_of_a_shell() -> None:
    other = changed(
        RESUMED, boundary={name: CONTROL.boundary[name].value + 1 for name in ("w", "mean", "step")}
    )
    assert of(other, left_out=("[wm]*", "STEP", "ste?")).left_out == {
        "[wm]*": ("w", "mean"),
        "STEP": (),
        "ste?": ("step",),
    }


def test_absent_tensors_can_be_left_out() -> None:
    comparison = of(
        changed(RESUMED, boundary={"mean": None}, final={"mean": None}), left_out=("mean",)
    )
    assert comparison.equal


# --- Noise ------------------------------------------------------------------------------------

NOISE = NoiseFloor(
    2,
    final={"w": 1.0, "mean": 0.1},
    first_difference="…",
    losses=(0.0, 0.1, 0.1),
    evaluations={5: 0.0, 6: 0.1, 8: 0.1},
)
AFTER_NOISE = changed(
    RESUMED,
    losses={6: 2 / 7 + 0.29},
    evaluations={6: 1 / 6 + 0.29},
    final={"w": value("w", STEPS) + 2},
)


def test_noise_may_explain_differences_after_the_boundary() -> None:
    comparison = of(AFTER_NOISE, noise=NOISE)
    assert comparison.equal
    assert not comparison.exact
    assert not of(AFTER_NOISE).equal


@pytest.mark.parametrize(
    "changes",
    [
        {"losses": {6: 2 / 7 + 0.31}},
        {"losses": {5: 2 / 6 + 0.001}},  # computed from one state
        {"evaluations": {8: 1 / 8 + 0.31}},
        {"evaluations": {5: 1 / 5 + 0.001}},
        {"final": {"mean": value("mean", STEPS) + np.float32(0.31)}},
        {"final": {"w/momentum": value("w/momentum", STEPS) + np.float32(0.01)}},
    ],
)
def test_a_difference_beyond_the_noise_remains(changes: dict[str, Any]) -> None:
    assert not of(changed(RESUMED, **changes), noise=NOISE).equal


@pytest.mark.parametrize(
    "lost",
    [
        changed(AFTER_NOISE, boundary={"step": 4}),
        changed(AFTER_NOISE, boundary={"w": None}),
        begun_at(AFTER_NOISE, 4),
    ],
)
def test_a_difference_at_the_boundary_is_no_noise(lost: Run) -> None:
    comparison = of(lost, noise=NOISE)
    assert [step.equal for step in comparison.steps] == [True, False, True]
    assert (FINAL, "w") in unequal(comparison)
    assert not comparison.evaluations[1].equal


def test_tensors_at_the_boundary_are_compared_exactly() -> None:
    assert unequal(of(changed(AFTER_NOISE, boundary={"w": UP}), noise=NOISE)) == [
        (AT_BOUNDARY, "w"),
        (FINAL, "w"),
    ]


def test_rounding_of_losses_from_the_same_state() -> None:
    other = changed(RESUMED, losses={5: 2 / 6 * (1 + 5e-7)}, evaluations={5: 1 / 5 * (1 + 5e-7)})
    assert of(other, noise=NOISE).equal


def test_unseeded_inputs_are_not_compared() -> None:
    other = changed(
        RESUMED,
        batches={5: "own"},
        draws={6: ("own",)},
        hyperparameters={7: {"decay": 9.0}},
        rates={7: 0.11},
    )
    noise = NoiseFloor(
        1,
        batches_differ=True,
        draws_differ=True,
        hyperparameters_differ=True,
        rates=0.01,
        first_difference="…",
    )
    comparison = of(other, noise=noise)
    assert all(step.inputs_equal for step in comparison.steps)
    assert (comparison.batches, comparison.draws, comparison.hyperparameter) == (
        DataPath(),
        (),
        None,
    )
    # Each alone.
    assert not of(other, noise=NoiseFloor(1, batches_differ=True)).steps[1].draws_equal
    assert not of(other, noise=NoiseFloor(1, draws_differ=True)).steps[0].batch_equal
    assert not of(other, noise=NoiseFloor(1, rates=0.001)).steps[2].rate_equal
    # Even with a difference at the boundary.
    lost = of(changed(other, boundary={"w": ZEROS}), noise=noise)
    assert all(step.inputs_equal for step in lost.steps)


def test_a_rate_that_only_one_run_shows_is_no_noise() -> None:
    other = of(changed(RESUMED, rates={5: None}), noise=NoiseFloor(1, rates=1.0))
    assert not other.steps[0].rate_equal


# --- Tolerance --------------------------------------------------------------------------------

WIDE = Tolerance(rtol=0.01)


def test_within_the_tolerance() -> None:
    other = changed(
        RESUMED,
        boundary={"w": W * np.float32(1.005)},
        losses={6: 2 / 7 * 1.005},
        evaluations={6: 1 / 6 * 1.005},
        rates={5: 0.1005},
        hyperparameters={5: {"decay": 0.01005}},
    )
    comparison = of(other, tolerance=WIDE)
    assert comparison.equal
    assert not comparison.exact
    found = row(comparison, "w")
    assert (found.equal, found.identical, found.differing, found.origin) == (
        True,
        False,
        6,
        Origin(),
    )
    assert comparison.hyperparameter is None
    assert not of(other).equal
    assert not of(other, tolerance=Tolerance(rtol=0.001)).equal


def test_whole_numbers_have_no_tolerance() -> None:
    wide = Tolerance(rtol=0.99, atol=1000)
    assert unequal(
        of(changed(RESUMED, boundary={"step": 4, "rng": fresh("rng")}), tolerance=wide)
    ) == [
        (AT_BOUNDARY, "step"),
        (AT_BOUNDARY, "rng"),
    ]


def test_nan_is_equal_to_nan_on_request() -> None:
    nan: Values = {"w": ZEROS + np.float32(np.nan)}
    ours = changed(CONTROL, boundary=nan, losses={6: math.nan}, evaluations={6: math.nan})
    theirs = resumed(ours)
    strict, asked = of(theirs, ours), of(theirs, ours, tolerance=Tolerance(equal_nan=True))
    assert (row(strict, "w").equal, row(strict, "w").differing) == (False, 6)
    assert (strict.steps[1].equal, strict.evaluations[1].equal) == (False, False)
    assert (row(asked, "w").equal, row(asked, "w").identical, row(asked, "w").differing) == (
        True,
        True,
        0,
    )
    assert asked.exact
    # A number in place of NaN is not equal.
    assert not of(changed(theirs, losses={6: 1.0}), ours, tolerance=Tolerance(equal_nan=True)).equal


def test_a_rate_that_is_nan_in_both_runs_is_equal() -> None:
    ours = changed(CONTROL, rates={6: math.nan}, hyperparameters={6: {"decay": math.nan}})
    assert of(resumed(ours), ours).exact


# --- Hints and rates --------------------------------------------------------------------------


def test_renamed_tensors_are_the_same() -> None:
    comparison = of(renamed(RESUMED, {"w": "v", "mean": "layer/mean"}))
    assert comparison.exact
    assert comparison.renamed == {"w": "v", "mean": "layer/mean"}
    lost = of(changed(renamed(RESUMED, {"w": "v"}), boundary={"v": ZEROS}))
    assert lost.renamed == {"w": "v"}
    found = row(lost, "w")
    assert (found.equal, found.origin.what, found.asked, found.held) == (False, "zero", True, True)


def test_the_first_hyperparameter_that_differs() -> None:
    other = changed(RESUMED, hyperparameters={6: {"decay": 0.01, "clip": 1.0}, 7: {"decay": 0.5}})
    comparison = of(other)
    assert comparison.hyperparameter == HyperparameterDifference(6, "clip", None, 1.0)
    assert [step.hyperparameters_equal for step in comparison.steps] == [True, False, False]
    assert of(
        changed(RESUMED, hyperparameters={5: None})
    ).hyperparameter == HyperparameterDifference(5, "decay", 0.01, None)
    assert (
        of(
            changed(RESUMED, hyperparameters={5: {}}), changed(CONTROL, hyperparameters={5: None})
        ).hyperparameter
        is None
    )


def test_places_where_the_rates_match() -> None:
    ours = changed(CONTROL, rates={step: 0.5**step for step in range(STEPS)})
    theirs = resumed(ours)
    assert of(theirs, ours).rates_from == ()
    assert of(changed(theirs, rates={5: 1.0, 6: 0.5, 7: 0.25}), ours).rates_from == (0,)
    assert of(changed(theirs, rates={5: 2**-4, 6: 2**-5, 7: 2**-6}), ours).rates_from == (4,)
    # From a later place, as far as the control reaches.
    assert of(changed(theirs, rates={5: 2**-6, 6: 2**-7, 7: 9.0}), ours).rates_from == (6,)
    # A constant rate shows nothing.
    assert of().rates_from == ()


SEEN = {"initial": {"wait": 0.0, "best": 1.0}, "boundary-5": {"wait": 2.0, "best": 1.0}}


def test_attributes_that_change_and_differ() -> None:
    ours = changed(CONTROL, attributes=SEEN)
    theirs = changed(RESUMED, attributes={"boundary-5": {"wait": 0.0, "best": 9.0}})
    comparison = of(theirs, ours)
    assert comparison.attributes == {"wait": (2.0, 0.0)}  # `best` stood still: the program sets it
    assert comparison.equal  # they explain differences, and are none
    assert of(changed(RESUMED, attributes={"boundary-5": {}}), ours).attributes == {}
    assert of(changed(RESUMED, attributes={"final": {"wait": 0.0}}), ours).attributes == {}


LAST_BITS = 0.2 * (1 + 2**-22)
DOUBLE = control({"v": Kind.WEIGHT})
DOUBLE = changed(
    DOUBLE,
    boundary={name: DOUBLE.boundary[name].value.astype(np.float64) for name in ("w", "v")},
)


def test_an_evaluation_that_alone_differs_in_its_last_bits_is_rounded() -> None:
    comparison = of(changed(RESUMED, evaluations={BOUNDARY: LAST_BITS}))
    assert comparison.equal
    assert not comparison.exact
    assert [row.steps_done for row in comparison.rounded_evaluations] == [BOUNDARY]
    assert of().rounded_evaluations == ()


@pytest.mark.parametrize(
    "also",
    [
        {"evaluations": {BOUNDARY: 0.2 + 1e-6}},  # hidden state that only evaluation reads
        {"evaluations": {BOUNDARY: LAST_BITS, STEPS: 0.2}},
        {"evaluations": {BOUNDARY: LAST_BITS}, "losses": {7: 0.25 * (1 + 2**-22)}},
        {"evaluations": {BOUNDARY: LAST_BITS}, "final": {"mean": value("mean", 1)}},
        {"evaluations": {BOUNDARY: LAST_BITS}, "boundary": {"mean": value("mean", 1)}},
        {"evaluations": {BOUNDARY: LAST_BITS}, "batches": {6: "another"}},
        {"evaluations": {BOUNDARY: math.nan}},
    ],
)
def test_what_is_no_rounding_of_an_evaluation(also: dict[str, Any]) -> None:
    comparison = of(changed(RESUMED, **also))
    assert not comparison.equal


def test_evaluations_of_double_weights_round_less() -> None:
    bits = changed(resumed(DOUBLE), evaluations={BOUNDARY: LAST_BITS})
    assert not of(bits, DOUBLE).equal
    rounded = changed(resumed(DOUBLE), evaluations={BOUNDARY: 0.2 * (1 + 2**-51)})
    assert of(rounded, DOUBLE).equal


def test_attributes_that_the_restore_sets() -> None:
    always = {key: {"drop": 1.0, "born": 7.0} for key in ("initial", "boundary-5", "final")}
    started = {"drop": 1.0, "born": 8.0}
    restored = {"initial": started, "boundary-5": started | {"drop": 0.0}}
    comparison = of(changed(RESUMED, attributes=restored), changed(CONTROL, attributes=always))
    assert comparison.set_by_restore == {"drop": (1.0, 0.0)}
    assert comparison.attributes == {}
    assert comparison.equal
    unknown = {"initial": {"drop": math.nan}, "boundary-5": {"drop": math.nan}}
    same = of(changed(RESUMED, attributes=unknown), changed(CONTROL, attributes=unknown))
    assert same.attributes == same.set_by_restore == {}


def test_generators_that_change_and_differ() -> None:
    ours = changed(
        CONTROL,
        generators={
            "initial": {"numpy": "a", "python": "a"},
            "boundary-5": {"numpy": "b", "python": "a"},
        },
    )
    theirs = changed(RESUMED, generators={"boundary-5": {"numpy": "c", "python": "c"}})
    assert of(theirs, ours).generators == ("numpy",)
    assert of(theirs, ours).equal
    assert of(changed(RESUMED, generators={"boundary-5": {"numpy": "b"}}), ours).generators == ()


def test_batches_and_draws() -> None:
    other = changed(
        RESUMED, batches={step: f"batch-{step - 5}" for step in AFTER}, draws={7: ("own",)}
    )
    comparison = of(other)
    assert comparison.batches == DataPath("restarted", 5, 0)
    assert comparison.draws == (DataPath("other", 7),)


def test_a_boundary_among_several() -> None:
    facts = replace(RESUMED.at(3).facts, first_step=3)
    earlier = replace(
        RESUMED,
        facts=facts,
        steps=CONTROL.steps[3:],
        snapshots={**RESUMED.snapshots, "boundary-3": CONTROL.snapshot_at(3)},
    )
    comparison = compare(CONTROL.at(3), earlier)
    assert comparison.exact
    assert (comparison.first_step, comparison.steps_after) == ((3, 3), 5)
    assert [each.steps_done for each in comparison.evaluations] == [5, 6, 8]


def test_strict_is_the_default() -> None:
    assert compare(CONTROL, RESUMED) == compare(CONTROL, RESUMED, STRICT)
