"""Jobs that are not reproducible: what counts as noise, and what is still a difference."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ckptcheck import Case, UsageError, verify
from ckptcheck.comparison.noise_floor import (
    MARGIN,
    NoiseFloor,
    is_numeric,
    measure,
    without_saves,
)
from ckptcheck.run.run import Run
from tests.builder import BOUNDARY, EARLIER, STEPS, Values, changed, control, cut, renamed, value
from tests.conftest import toy
from tests.rows import at_boundary

CONTROL = control()
ZEROS = np.zeros((2, 3), np.float32)


# --- Measuring noise --------------------------------------------------------------------------


def test_a_control_that_is_repeated_exactly() -> None:
    noise = measure(CONTROL, [control(), control()])
    assert noise == NoiseFloor(
        repeats=2,
        final=dict.fromkeys(CONTROL.final, 0.0),
        losses=(0.0, 0.0, 0.0),
        evaluations={3: 0.0, 5: 0.0, 6: 0.0, 8: 0.0},
    )


def test_how_far_losses_are_apart() -> None:
    """The spread up to each step: runs that diverged once may diverge again."""
    one = changed(CONTROL, losses={2: 2 / 3 + 0.125, 6: 2 / 7 + 0.5})
    other = changed(CONTROL, losses={2: 2 / 3 - 0.125})
    noise = measure(CONTROL, [one, other])
    assert noise.losses == pytest.approx((0.25, 0.5, 0.5))
    assert noise.training_loss == pytest.approx(0.5)
    assert not noise.step_varies
    assert measure(CONTROL, [changed(CONTROL, losses={0: 2.5})]).step_varies


def test_how_far_evaluation_losses_are_apart() -> None:
    noise = measure(
        CONTROL, [changed(CONTROL, evaluations={EARLIER: 1 / 3 + 0.125, 6: 1 / 6 + 0.5})]
    )
    assert noise.evaluations == pytest.approx({3: 0.125, 5: 0.125, 6: 0.5, 8: 0.5})
    assert noise.evaluation_loss == pytest.approx(0.5)
    # Differences before the boundary do not count, but widen the spread after it.
    before = measure(
        changed(CONTROL, evaluations={BOUNDARY: None, 6: None, STEPS: None}), [CONTROL]
    )
    assert before.evaluation_loss == 0.0
    twice = [0.5, math.nextafter(0.5, 1)]
    assert measure(CONTROL, [changed(CONTROL, evaluated_twice=twice)]).evaluation_varies
    assert not measure(
        CONTROL, [changed(CONTROL, evaluated_twice=[math.nan, math.nan])]
    ).evaluation_varies


def test_how_far_final_tensors_are_apart() -> None:
    up, down = value("w", STEPS) + np.float32(0.5), value("w", STEPS) - np.float32(0.25)
    noise = measure(
        CONTROL, [changed(CONTROL, final={"w": up}), changed(CONTROL, final={"w": down})]
    )
    assert noise.final == pytest.approx(dict.fromkeys(CONTROL.final, 0.0) | {"w": 0.75})
    # A tensor that a run lacks, or has with a different shape, has no spread.
    gone = measure(
        CONTROL,
        [changed(CONTROL, final={"w": up}), changed(CONTROL, final={"w": None, "mean": ZEROS[:1]})],
    )
    assert (gone.final["w"], gone.final["mean"]) == (0.0, 0.0)


def test_nan_in_all_of_them_is_no_difference() -> None:
    nan = changed(CONTROL, losses={6: math.nan}, evaluations={6: math.nan}, rates={6: math.nan})
    noise = measure(nan, [nan])
    assert (noise.first_difference, noise.training_loss, noise.evaluation_loss, noise.rates) == (
        None,
        0.0,
        0.0,
        0.0,
    )


def test_renamed_tensors_are_the_same() -> None:
    assert measure(CONTROL, [renamed(CONTROL, {"w": "v"})]).first_difference is None


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({}, (False, False, False, 0.0)),
        ({"batches": {1: "other"}}, (True, False, False, 0.0)),
        ({"draws": {7: ("other",)}}, (False, True, False, 0.0)),
        ({"hyperparameters": {7: {"decay": 0.5}}}, (False, False, True, 0.0)),
        ({"rates": {7: 0.6}}, (False, False, False, 0.5)),
        ({"rates": {7: None}}, (False, False, False, 0.0)),
    ],
)
def test_inputs_that_differ(changes: dict[str, Any], flags: tuple[bool, bool, bool, float]) -> None:
    noise = measure(CONTROL, [changed(CONTROL, **changes)])
    assert (noise.batches_differ, noise.draws_differ, noise.hyperparameters_differ) == flags[:3]
    assert noise.rates == pytest.approx(flags[3])


@pytest.mark.parametrize(
    ("repeat", "first"),
    [
        (CONTROL, None),
        (cut(CONTROL, 7), "the number of steps differs"),
        (
            changed(CONTROL, batches={2: "other"}, losses={2: 9.0}),
            "the batch of step 2 differs",
        ),
        (
            changed(CONTROL, losses={1: 9.0}, draws={1: ("other",)}),
            "the training loss of step 1 is 9.0 instead of 1.0",
        ),
        (changed(CONTROL, draws={1: ("other",)}), "the random numbers of step 1 differ"),
        (
            changed(CONTROL, hyperparameters={4: {"decay": 1.0}}),
            "the hyperparameters of step 4 differ",
        ),
        (
            changed(CONTROL, evaluations={6: 0.5}, losses={6: 0.5}),
            f"the evaluation loss after 6 steps is 0.5 instead of {1 / 6!r}",
        ),
        (
            changed(CONTROL, evaluations={6: 0.5}, losses={5: 0.5}),
            f"the training loss of step 5 is 0.5 instead of {2 / 6!r}",
        ),
        (
            changed(CONTROL, evaluations={6: 0.5}),
            f"the evaluation loss after 6 steps is 0.5 instead of {1 / 6!r}",
        ),
        (changed(CONTROL, rates={6: 0.5}, final={"w": ZEROS}), "the learning rates differ"),
        (changed(CONTROL, final={"w": ZEROS}), "the final value of w differs"),
        (changed(CONTROL, final={"mean": None}), "the final value of mean differs"),
        (
            changed(CONTROL, boundary={"w": ZEROS}),
            None,
        ),  # whatever became of it, no loss and no value in the end shows it
    ],
)
def test_where_two_controls_part_first(repeat: Run, first: str | None) -> None:
    assert measure(CONTROL, [repeat]).first_difference == first
    assert measure(CONTROL, [CONTROL, repeat]).first_difference == first


# --- What noise accounts for ------------------------------------------------------------------

NOISE = NoiseFloor(
    1, final={"w": 0.5}, rates=0.25, losses=(0.0, 0.5, 1.0), evaluations={5: 0.5, 6: 1.0}
)


@pytest.mark.parametrize(
    ("changes", "numeric"),
    [
        ({}, False),
        ({"losses": {3: 0.7}}, True),
        ({"losses": {3: 0.7}, "batches": {2: "other"}}, False),
        ({"losses": {3: 0.7}, "initial": {"w": np.float32(9)}}, False),
    ],
)
def test_numbers_alone_differ_where_all_else_is_equal(
    changes: dict[str, Any], numeric: bool
) -> None:
    assert is_numeric(CONTROL, changed(CONTROL, **changes)) == numeric


def test_of_tensor() -> None:
    assert (NOISE.of_tensor("w"), NOISE.of_tensor("other")) == (1.5, 0.0)


def test_of_rate() -> None:
    assert NOISE.of_rate() == 0.75
    assert NoiseFloor(1).of_rate() < 0  # then not even equal rates are noise


def test_of_loss() -> None:
    assert [NOISE.of_loss(index, 2.0) for index in range(4)] == [2e-6, 1.5, 3.0, 0.0]
    assert NOISE.of_loss(0, -2.0) == 2e-6
    varies = NoiseFloor(1, losses=(0.5,), step_varies=True)
    assert varies.of_loss(0, 2.0) == 1.5


def test_of_evaluation() -> None:
    assert NOISE.of_evaluation(5, 2.0, at_boundary=True) == 2e-6
    assert NOISE.of_evaluation(6, 2.0, at_boundary=False) == 3.0
    assert NOISE.of_evaluation(7, 2.0, at_boundary=False) == 0.0
    varies = NoiseFloor(1, evaluations={5: 0.5}, evaluation_varies=True)
    assert varies.of_evaluation(5, 2.0, at_boundary=True) == 1.5


def test_document_leaves_out_long_columns() -> None:
    assert NOISE.document() == {
        "repeats": 1,
        "training_loss": 0.0,
        "evaluation_loss": 0.0,
        "final": {"w": 0.5},
        "batches_differ": False,
        "draws_differ": False,
        "hyperparameters_differ": False,
        "rates": 0.25,
        "first_difference": None,
        "step_varies": False,
        "evaluation_varies": False,
    }


# --- A control that never saves ---------------------------------------------------------------


def unsaved(boundary: Values | None = None, **changes: Any) -> Run:
    """Return a control that never saves and ends at the last save of the other."""
    return cut(changed(CONTROL, boundary=boundary, saved=[], **changes), BOUNDARY)


@pytest.mark.parametrize(
    ("run", "first"),
    [
        (unsaved(), None),
        (unsaved(losses={4: 9.0}), "the training loss of step 4 is 9.0 instead of 0.4"),
        (unsaved(losses={6: 9.0}), None),  # it has ended by then
        (unsaved(rates={4: 0.5}), "the learning rates differ"),
        (
            unsaved(evaluations={EARLIER: 0.5}),
            f"the evaluation loss after 3 steps is 0.5 instead of {1 / 3!r}",
        ),
        (unsaved(evaluations={EARLIER: 1 / 3 * (1 + 2**-22)}), None),  # rounding
        (
            unsaved({"w": ZEROS}, evaluations={EARLIER: 1 / 3 * (1 + 2**-22)}),
            "w differs after 5 steps",
        ),
        (unsaved({"w": ZEROS}), "w differs after 5 steps"),
        (unsaved({"w": None}), "w differs after 5 steps"),
        (renamed(unsaved(), {"w": "v"}), None),
    ],
)
def test_where_a_control_parts_from_one_that_never_saves(run: Run, first: str | None) -> None:
    assert without_saves(CONTROL, run) == first


def test_the_first_save_shows_it_first() -> None:
    other = unsaved({"w": ZEROS})
    snapshots = {
        **other.snapshots,
        "boundary-3": {**other.snapshot_at(EARLIER), "mean": other.initial["mean"]},
    }
    assert (
        without_saves(CONTROL, replace(other, snapshots=snapshots)) == "mean differs after 3 steps"
    )


# --- In processes -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    names = [
        "Clean",
        "Jitters",
        "JittersAndLoses",
        "JittersAndDrifts",
        "Unseeded",
        "HiddenInLastLoss",
    ]
    report = verify([toy(name) for name in names], steps=21, boundary=9, repeat=4)
    return dict(zip(names, report.cases, strict=True))


def test_within_the_noise_is_recovered(cases: dict[str, Case]) -> None:
    case = cases["Jitters"]
    assert (case.outcome, case.diagnoses) == ("recovered", ())
    assert case.noise is not None
    assert case.comparison is not None
    assert case.noise.repeats == 4
    assert 0 < case.noise.training_loss < 1e-6
    assert not case.comparison.exact
    assert all(row.identical for row in case.comparison.boundary)
    apart = max(abs(row.diff) for row in case.comparison.steps)
    assert 0 < apart <= MARGIN * case.noise.training_loss
    document = case.document()
    assert document["noise"]["training_loss"] == case.noise.training_loss
    assert document["noise"]["first_difference"].startswith("the training loss of step 1 is ")


def test_a_loss_at_the_boundary_is_no_noise(cases: dict[str, Case]) -> None:
    assert cases["JittersAndLoses"].outcome == "diverged"
    # The report also says that the job is not reproducible.
    assert [each.cause for each in cases["JittersAndLoses"].diagnoses] == ["slots-lost", "noise"]


def test_a_difference_above_the_noise_is_none_either(cases: dict[str, Case]) -> None:
    assert cases["JittersAndDrifts"].outcome == "diverged"


def test_batches_that_no_seed_decides(cases: dict[str, Case]) -> None:
    assert cases["Unseeded"].outcome == "inconclusive"


def test_a_job_that_reproduces_itself_has_none(cases: dict[str, Case]) -> None:
    clean = cases["Clean"].noise
    assert clean is not None
    assert (clean.training_loss, clean.evaluation_loss, clean.first_difference) == (0.0, 0.0, None)
    assert set(clean.final.values()) == {0.0}
    assert cases["Clean"].outcome == "recovered"
    # One unit in the last place of one loss still is a difference.
    assert cases["HiddenInLastLoss"].outcome == "diverged"


def test_the_control_is_repeated_only_where_that_can_tell() -> None:
    report = verify(
        [toy(name) for name in ("Clean", "SlotsLost", "HiddenInLastLoss")], steps=21, boundary=9
    )
    assert [case.noise is not None for case in report.cases] == [False, False, True]
    (case,) = verify(toy("HiddenInLastLoss"), steps=21, boundary=9, repeat=0).cases
    assert (case.outcome, case.noise) == ("diverged", None)


def test_tolerance_is_on_request() -> None:
    (exact,) = verify(toy("Rounds"), steps=21, boundary=9).cases
    (within,) = verify(toy("Rounds"), steps=21, boundary=9, rtol=1e-5, atol=1e-7).cases
    assert (exact.outcome, within.outcome) == ("diverged", "recovered")
    row = at_boundary(within)["v"]
    assert (row.equal, row.identical) == (True, False)
    assert within.document()["tolerance"] == {"rtol": 1e-5, "atol": 1e-7, "equal_nan": False}
    # Integers have no noise: a lost step remains a difference.
    assert (
        verify(toy("StepLost"), steps=21, boundary=9, rtol=0.9, atol=100).cases[0].outcome
        == "diverged"
    )


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (
            {"rtol": -1},
            "rtol=-1 and atol=0 are not valid tolerances: rtol must be at least 0 and below 1, atol at least 0 and finite.",
        ),
        (
            {"rtol": 1.0},
            "rtol=1 and atol=0 are not valid tolerances: rtol must be at least 0 and below 1, atol at least 0 and finite.",
        ),
        (
            {"atol": float("nan")},
            "rtol=0 and atol=nan are not valid tolerances: rtol must be at least 0 and below 1, atol at least 0 and finite.",
        ),
        ({"repeat": -1}, "The number of repetitions of a control must be 0 or more, not -1."),
    ],
)
def test_wrong_requests(asked: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        verify(toy("Clean"), **asked)
    assert str(caught.value) == text
