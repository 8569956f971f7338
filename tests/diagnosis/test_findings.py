"""A comparison as the rules see it."""

import math
from typing import Any

import numpy as np
import pytest

from ckptcheck.comparison.compare import compare
from ckptcheck.comparison.equality import Equality
from ckptcheck.diagnosis.cause import (
    AT_ONCE,
    EVALUATION,
    FIRST_STEP,
    FIRST_UPDATE,
    NEVER,
    Diagnosis,
    Stage,
    Start,
)
from ckptcheck.diagnosis.findings import (
    Findings,
    as_number,
    both_values,
    by_stage,
    counted_off,
    names,
    stage_of_all,
)
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from ckptcheck.run.run import Run
from tests.builder import BOUNDARY, Values, begun_at, changed, control, fresh, resumed, value

CONTROL = control()
RESUMED = resumed(CONTROL)
ZEROS = np.zeros((2, 3), np.float32)
ASKED = {name: name for name in CONTROL.boundary}
HELD = list(CONTROL.boundary)


def findings(run: Run, control: Run = CONTROL, left_out: tuple[str, ...] = ()) -> Findings:
    return Findings(compare(control, run, Equality(left_out=left_out)))


def with_cause(findings: Findings, cause: str, *tensors: str) -> Findings:
    return findings.and_found([Diagnosis(cause, None, "", "", tensors)])


def late(kind: Kind, at: np.ndarray, **facts: Any) -> Findings:
    """Return the findings with a tensor that the first step creates, and that differs after it."""
    ours = changed(
        CONTROL,
        after={"new": Tensor(kind, value("new", 6))},
        boundary={"new": Tensor(kind, value("new", 5))},
    )
    theirs = changed(RESUMED, after={"new": Tensor(kind, at)}, **facts)
    return findings(theirs, ours)


# --- Stages -----------------------------------------------------------------------------------

MEAN, SWAPPED, STRANGE = ZEROS, value("w", BOUNDARY), ZEROS + 9
WITHOUT = [name for name in HELD if name != "mean"]


@pytest.mark.parametrize(
    ("mean", "facts", "stage"),
    [
        (MEAN, {"held": None}, None),
        (MEAN, {"held": WITHOUT, "values": None}, Stage.OMITTED_AT_SAVE),
        (MEAN, {"held": WITHOUT}, Stage.OMITTED_AT_SAVE),
        (MEAN, {"asked": None}, None),
        (MEAN, {"asked": {}}, Stage.NOT_APPLIED_AT_LOAD),
        # Its own or an unknown value although it was asked for: the saved values decide the stage.
        (MEAN, {}, Stage.OVERWRITTEN_AFTER_LOAD),
        (MEAN, {"values": []}, Stage.OMITTED_AT_SAVE),
        (MEAN, {"values": None}, None),
        (STRANGE, {}, Stage.OVERWRITTEN_AFTER_LOAD),
        (STRANGE, {"values": []}, Stage.OMITTED_AT_SAVE),
        (STRANGE, {"values": None}, None),
        # The value of a different tensor cannot precede the restore.
        (SWAPPED, {}, Stage.OVERWRITTEN_AFTER_LOAD),
        (SWAPPED, {"values": []}, Stage.OMITTED_AT_SAVE),
        # Held under a key different from its name, or, with no known key, by its value.
        (
            MEAN,
            {"held": [*WITHOUT, "layer/mean"], "asked": {**ASKED, "mean": "layer/mean"}},
            Stage.OVERWRITTEN_AFTER_LOAD,
        ),
        (MEAN, {"held": WITHOUT, "asked": {}}, Stage.NOT_APPLIED_AT_LOAD),
        (MEAN, {"held": WITHOUT, "asked": {}, "values": []}, Stage.OMITTED_AT_SAVE),
        (MEAN, {"held": None, "asked": {}}, Stage.NOT_APPLIED_AT_LOAD),
        (MEAN, {"held": None, "asked": {}, "values": []}, Stage.OMITTED_AT_SAVE),
    ],
)
def test_stage_at_which_a_tensor_was_lost(
    mean: np.ndarray, facts: dict[str, Any], stage: Stage | None
) -> None:
    rows = findings(changed(RESUMED, boundary={"mean": mean}, **facts)).open
    assert [(found, names(lost)) for found, lost in by_stage(rows)] == [(stage, ["mean"])]
    assert stage_of_all(rows) is stage


@pytest.mark.parametrize(
    ("facts", "stage"),
    [
        ({"held": ["new"]}, Stage.NOT_APPLIED_AT_LOAD),
        ({"held": ["new"], "asked": {"new": "new"}}, Stage.NOT_APPLIED_AT_LOAD),
        ({"held": []}, Stage.OMITTED_AT_SAVE),
        ({"held": None, "values": None}, None),
        ({"held": None, "values": []}, Stage.OMITTED_AT_SAVE),  # by its value
    ],
)
def test_stage_of_a_tensor_created_anew(facts: dict[str, Any], stage: Stage | None) -> None:
    made = late(Kind.SLOT, STRANGE, **facts)
    assert [(row.name, row.late, row.origin.what) for row in made.open] == [("new", True, "anew")]
    assert stage_of_all(made.open) is stage


def test_stages_in_the_order_of_their_tensors() -> None:
    run = changed(
        RESUMED,
        boundary={"w": fresh("w"), "mean": ZEROS, "w/momentum": ZEROS},
        held=["w", "w/momentum"],
    )
    rows = findings(run).open
    assert [(stage, names(lost)) for stage, lost in by_stage(rows)] == [
        (Stage.OVERWRITTEN_AFTER_LOAD, ["w", "w/momentum"]),
        (Stage.OMITTED_AT_SAVE, ["mean"]),
    ]
    assert stage_of_all(rows) is None
    assert list(by_stage([])) == []
    assert stage_of_all([]) is None


# --- Explained and open tensors ---------------------------------------------------------------


def test_tensors_with_a_diagnosis_are_no_longer_open() -> None:
    run = changed(
        RESUMED,
        boundary={
            "w": fresh("w"),
            "mean": ZEROS,
            "w/momentum": value("w/momentum", 5).reshape(3, 2),
        },
    )
    seen = findings(run)
    assert names(seen.open) == ["w", "w/momentum", "mean"]
    assert names(seen.open_of(*Kind)) == [
        "w",
        "mean",
    ]  # what has another shape is no value of its kind
    assert names(seen.of_kind(Kind.WEIGHT, Kind.COUNTER)) == ["w", "step"]
    after = with_cause(seen, "weights-lost", "w")
    assert (names(after.open), after.explained) == (["w/momentum", "mean"], frozenset({"w"}))
    assert names(Findings(seen.comparison, covered=frozenset(["mean"])).open) == [
        "w",
        "w/momentum",
    ]
    assert seen.and_found([]) is seen


def test_has_knows_its_causes() -> None:
    seen = with_cause(findings(RESUMED), "slots-lost")
    assert seen.has("slots-lost")
    assert seen.has("weights-lost", "slots-lost")
    assert not seen.has("weights-lost")
    with pytest.raises(KeyError) as raised:
        seen.has("slots-lost", "slot-lost", "a-typo")
    assert raised.value.args == ("unknown cause: a-typo, slot-lost",)


BEGUN: Values = {name: tensor.value for name, tensor in RESUMED.initial.items()}


@pytest.mark.parametrize(
    ("run", "nothing_left"),
    [
        (RESUMED, False),
        (changed(RESUMED, boundary=BEGUN), True),
        (changed(RESUMED, boundary={**BEGUN, "w": value("w", BOUNDARY)}), False),
        # One has an unknown value: an initialiser ran, if each tensor was filled before.
        (changed(RESUMED, boundary={**BEGUN, "w": STRANGE}), True),
        (changed(RESUMED, boundary={**BEGUN, "w": STRANGE}, asked={}), False),
        # All have unknown values: nothing points to an initialiser.
        (
            changed(
                RESUMED, boundary=dict.fromkeys(("w", "w/momentum", "mean", "w/average"), STRANGE)
            ),
            False,
        ),
        # These values were saved and restored.
        (changed(RESUMED, boundary=BEGUN, values=[]), False),
        (changed(RESUMED, boundary=BEGUN, values=[], asked={}), True),
    ],
)
def test_nothing_left(run: Run, nothing_left: bool) -> None:
    assert findings(run).nothing_left is nothing_left


def test_tensors_that_prove_no_restore_do_not_count() -> None:
    same = changed(
        RESUMED, initial={"w": value("w", BOUNDARY)}, boundary={**BEGUN, "w": value("w", BOUNDARY)}
    )
    seen = findings(same)
    assert names(seen.poisoned) == ["w/momentum", "mean", "w/average", "step", "rng"]
    assert seen.nothing_left


# --- Values that a process makes itself -------------------------------------------------------


@pytest.mark.parametrize(
    ("boundary", "is_own"),
    [
        ({"w": fresh("w")}, True),
        ({"w": value("w", 0)}, True),
        ({"w": ZEROS}, True),
        ({"w": STRANGE}, False),
        ({"w": value("mean", BOUNDARY)}, False),
    ],
)
def test_is_own(boundary: Values, is_own: bool) -> None:
    seen = findings(changed(RESUMED, boundary=boundary))
    assert [seen.is_own(row) for row in seen.open] == [is_own]


@pytest.mark.parametrize(
    ("first_batch", "facts", "is_own"),
    [
        ("batch-5", {}, True),  # the step was the control's, so the value is the tensor's own
        ("another", {"asked": {"new": "new"}, "held": ["new"]}, False),
        ("another", {"asked": None, "held": None}, False),
        ("another", {"asked": {}, "held": ["new"]}, True),
        ("another", {"asked": {"new": "new"}, "held": []}, True),
    ],
)
def test_is_own_of_a_tensor_created_in_the_first_step(
    first_batch: str, facts: dict[str, Any], is_own: bool
) -> None:
    ours = changed(
        CONTROL,
        boundary={"new": Tensor(Kind.SLOT, ZEROS)},
        after={"new": Tensor(Kind.SLOT, value("new", 6))},
    )
    theirs = changed(
        RESUMED, after={"new": Tensor(Kind.SLOT, STRANGE)}, batches={5: first_batch}, **facts
    )
    seen = findings(theirs, ours)
    assert [seen.is_own(row) for row in seen.open] == [is_own]


@pytest.mark.parametrize(
    ("run", "left_out", "differs"),
    [
        (RESUMED, (), False),
        (changed(RESUMED, batches={5: "another"}), (), True),
        (changed(RESUMED, batches={6: "another"}), (), False),
        (changed(RESUMED, draws={5: ("another",)}), (), True),
        (changed(RESUMED, rates={5: 0.5}, hyperparameters={5: {"decay": 9.0}}), (), False),
        (changed(RESUMED, boundary={"w": STRANGE}), (), True),
        (
            changed(RESUMED, boundary={"w": STRANGE}),
            ("w",),
            True,
        ),  # that it is allowed makes it no other step
        (
            changed(RESUMED, boundary={"w/momentum": STRANGE, "step": 1}),
            (),
            False,
        ),  # they act after its loss
        (changed(RESUMED, boundary={"rng": fresh("rng")}), (), True),
    ],
)
def test_first_step_differs(run: Run, left_out: tuple[str, ...], differs: bool) -> None:
    assert findings(run, left_out=left_out).first_step_differs is differs


def test_a_tensor_created_in_the_first_step_does_not_make_it_differ() -> None:
    assert not late(Kind.WEIGHT, STRANGE).first_step_differs


# --- Where a difference starts to act ---------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "causes", "earliest"),
    [
        (RESUMED, (), NEVER),
        (changed(RESUMED, boundary={"w/momentum": ZEROS}), (), AT_ONCE),
        (begun_at(RESUMED, 4), (), AT_ONCE),
        (changed(RESUMED, batches={6: "another"}), (), Start(1, 2)),
        (changed(RESUMED, draws={5: ("another",)}), (), Start(0, 1)),
        (changed(RESUMED, hyperparameters={7: {"decay": 1.0}}), (), Start(2, 3)),
        (changed(RESUMED, rates={5: 0.5}), (), FIRST_UPDATE),
        (changed(RESUMED, rates={6: 0.5}, batches={7: "another"}), (), Start(2, 2)),
        (RESUMED, ("mode-differs",), FIRST_STEP),
        (RESUMED, ("batches-differ",), Start(math.inf, 0)),
        (RESUMED, ("statistics-restarted",), Start(math.inf, 1)),
        (RESUMED, ("statistics-restarted", "mode-differs"), FIRST_STEP),
    ],
)
def test_earliest(run: Run, causes: tuple[str, ...], earliest: Start) -> None:
    seen = findings(run)
    for cause in causes:
        seen = with_cause(seen, cause)
    assert seen.earliest == earliest


@pytest.mark.parametrize(
    ("kind", "earliest"),
    [
        (Kind.SLOT, FIRST_UPDATE),
        (Kind.ACCUMULATOR, FIRST_UPDATE),
        (Kind.COUNTER, FIRST_UPDATE),
        (Kind.METRIC, NEVER),
        (Kind.SHADOW, EVALUATION),
        (Kind.WEIGHT, AT_ONCE),  # it has acted before it came to be compared
        (Kind.MOVING_STATISTIC, AT_ONCE),
    ],
)
def test_earliest_of_a_tensor_created_in_the_first_step(kind: Kind, earliest: Start) -> None:
    assert late(kind, STRANGE).earliest == earliest
    assert late(kind, value("new", 6)).earliest == NEVER


# --- Counters ---------------------------------------------------------------------------------


def test_steps_off() -> None:
    assert findings(RESUMED).steps_off == set()
    assert findings(changed(RESUMED, boundary={"step": 2})).steps_off == {-3}
    assert findings(begun_at(changed(RESUMED, boundary={"step": 2}), 6)).steps_off == {-3, 1}
    assert findings(changed(RESUMED, first_step=None)).steps_off == set()


def test_counters_equal() -> None:
    assert findings(RESUMED).counters_equal
    assert not findings(changed(RESUMED, boundary={"step": 2})).counters_equal


def test_a_counter_that_is_no_single_number_says_nothing() -> None:
    several = changed(RESUMED, boundary={"step": np.array([1, 2])})
    (row,) = findings(several).of_kind(Kind.COUNTER)
    assert counted_off(row) is None
    assert findings(several).steps_off == set()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", None),
        ("5", 5.0),
        ("-0.5", -0.5),
        ("True", None),
        ("nan", None),
        ("inf", None),
        ("1e3", 1000.0),
    ],
)
def test_as_number(text: str, number: float | None) -> None:
    assert as_number(text) == number


def test_both_values() -> None:
    rows = {
        row.name: row for row in findings(changed(RESUMED, boundary={"step": 2, "w": STRANGE})).open
    }
    assert both_values(rows["step"]) == "step is 2 instead of the control's 5"
    norm = np.linalg.norm(value("w", BOUNDARY).astype(np.float64))
    assert both_values(rows["w"]) == f"w has norm 22.0454077 instead of the control's {norm:.9g}"
