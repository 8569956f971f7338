"""One judged case, as a value."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ckptcheck.comparison.noise_floor import NoiseFloor
from ckptcheck.diagnosis.allowances import Terms, parse
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.kinds import Kind
from ckptcheck.report.case import Case, RestoreError
from ckptcheck.report.evidence import Pair
from ckptcheck.report.judge import Question, judge_pair
from ckptcheck.report.sentences import numbers
from ckptcheck.run.run import Run
from ckptcheck.tolerance import Tolerance
from tests.builder import AFTER, changed, control, resumed, value

CONTROL = control({"rate": Kind.HYPERPARAMETER})
RESUMED = resumed(CONTROL)
ZEROS = np.zeros((2, 3), np.float32)
LOST = changed(RESUMED, boundary={"mean": ZEROS}, losses={6: 0.5}, evaluations={5: 0.5})
BARE = Case("job", "all", "recovered", "inconclusive")


def case(
    run: Run = RESUMED, *allowed: str, control: Run = CONTROL, expected: str = "recovered"
) -> Case:
    return judge_pair(
        Question("job", "all", expected), Pair(control, run), Terms(allowed=parse(allowed))
    )


def test_names() -> None:
    assert (BARE.name, BARE.label) == ("job × all", "all")
    several = replace(BARE, boundary=110)
    assert (several.name, several.label) == ("job × all @ 110", "all @ 110")


@pytest.mark.parametrize(
    ("outcome", "expected", "as_expected", "is_wrong"),
    [
        ("recovered", "recovered", True, False),
        ("diverged", "diverged", True, False),
        ("diverged", "recovered", False, True),
        ("recovered", "refused", False, True),
        ("inconclusive", "recovered", False, True),
        ("inconclusive", "inconclusive", True, True),
    ],
)
def test_what_was_expected(outcome: str, expected: str, as_expected: bool, is_wrong: bool) -> None:
    case = Case("job", "all", expected, outcome)
    assert (case.as_expected, case.is_wrong) == (as_expected, is_wrong)


@pytest.mark.parametrize(
    ("outcome", "allowed", "shown"),
    [
        ("recovered", (), "recovered"),
        ("recovered", (Diagnosis("slots-lost", None, "", ""),), "recovered, as allowed"),
        ("diverged", (Diagnosis("slots-lost", None, "", ""),), "diverged"),
    ],
)
def test_accepted_differences_are_never_shown_as_exact(
    outcome: str, allowed: tuple[Diagnosis, ...], shown: str
) -> None:
    assert replace(BARE, outcome=outcome, allowed=allowed).told_outcome == shown


def test_the_evaluation_at_the_boundary() -> None:
    assert case(LOST).boundary_eval == (0.2, 0.5)
    assert BARE.boundary_eval is None
    assert case(changed(RESUMED, evaluations=dict.fromkeys((5, 6, 8)))).boundary_eval is None


def test_tensors_at_their_initial_values() -> None:
    hidden = changed(RESUMED, initial={"mean": value("mean", 5), "rate": 0.25}, asked=None)
    assert case(hidden).not_shown == ("mean",)
    assert case(changed(hidden, losses={6: 0.5})).not_shown == ()
    assert BARE.not_shown == ()


# --- As plain values ----------------------------------------------------------------------------


def test_document_of_a_case() -> None:
    norm = float(np.linalg.norm(value("mean", 5).astype(np.float64)))
    judged = replace(case(LOST), digests={"boundary": {"control": "a", "resumed": "b"}})
    (found,) = judged.diagnoses
    assert judged.document() == {
        "job": "job",
        "restore": "all",
        "rank": None,
        "expected": "recovered",
        "outcome": "diverged",
        "as_expected": False,
        "reason": None,
        "first_boundary_step": None,
        "boundary_step": 5,
        "steps": 8,
        "first_resumed_step": 5,
        "tensors": {
            "compared": 7,
            "equal": 6,
            "by_kind": {
                "counter": {"compared": 1, "equal": 1},
                "hyperparameter": {"compared": 1, "equal": 1},
                "moving statistic": {"compared": 1, "equal": 0},
                "rng": {"compared": 1, "equal": 1},
                "shadow": {"compared": 1, "equal": 1},
                "slot": {"compared": 1, "equal": 1},
                "weight": {"compared": 1, "equal": 1},
            },
        },
        "final_tensors": {"compared": 7, "equal": 7},
        "moving_statistics": [
            {
                "name": "mean",
                "equal": False,
                "control_norm": norm,
                "resumed_norm": 0.0,
                "max_abs_diff": float(np.abs(value("mean", 5)).max()),
            }
        ],
        "train_loss": {
            "compared": 3,
            "equal": 2,
            "first_difference": 6,
            "max_abs_diff": 0.5 - 2 / 7,
        },
        "batches": {"compared": 3, "equal": 3},
        "learning_rate": {"compared": 3, "equal": 3},
        "eval_loss": {"control": 0.2, "resumed": 0.5},
        "evaluations": {"compared": 3, "equal": 2},
        "tolerance": {"rtol": 0.0, "atol": 0.0, "equal_nan": False},
        "noise": None,
        "digests": {"boundary": {"control": "a", "resumed": "b"}},
        "not_covered": [],
        "diagnoses": [
            {
                "cause": "moving-statistics-lost",
                "stage": "overwritten after load",
                "sentence": found.sentence,
                "remedy": found.remedy,
                "tensors": ("mean",),
                "detail": found.detail,
                "severity": "breaks training",
            }
        ],
        "allowed": [],
        "acceptance": ["moving-statistics-lost"],
        "error": None,
    }


def test_document_where_nothing_was_compared() -> None:
    refused = replace(
        BARE,
        outcome="refused",
        reason="…",
        error=RestoreError("ValueError", "no", ("a",)),
        tolerance=Tolerance(rtol=0.5),
    )
    none = {"compared": 0, "equal": 0}
    document = refused.document()
    assert list(document) == list(case().document())
    assert document == {
        "job": "job",
        "restore": "all",
        "rank": None,
        "expected": "recovered",
        "outcome": "refused",
        "as_expected": False,
        "reason": "…",
        "first_boundary_step": None,
        "boundary_step": None,
        "steps": None,
        "first_resumed_step": None,
        "tensors": none | {"by_kind": {}},
        "final_tensors": none,
        "moving_statistics": [],
        "train_loss": none | {"first_difference": None, "max_abs_diff": None},
        "batches": none,
        "learning_rate": none,
        "eval_loss": None,
        "evaluations": none,
        "tolerance": {"rtol": 0.5, "atol": 0.0, "equal_nan": False},
        "noise": None,
        "digests": {},
        "not_covered": [],
        "diagnoses": [],
        "allowed": [],
        "acceptance": [],
        "error": {"type": "ValueError", "message": "no", "missing_keys": ("a",)},
    }
    assert json.loads(json.dumps(document))["error"]["missing_keys"] == ["a"]


@pytest.mark.parametrize(
    ("changes", "part", "numbers"),
    [
        ({"batches": {6: "own"}}, "batches", {"compared": 3, "equal": 2}),
        ({"batches": dict.fromkeys(AFTER)}, "batches", {"compared": 3, "equal": 0}),
        ({"rates": {7: 0.5}}, "learning_rate", {"compared": 3, "equal": 2}),
        ({"final": {"w": ZEROS}}, "final_tensors", {"compared": 7, "equal": 6}),
        ({"evaluations": {8: None}}, "evaluations", {"compared": 2, "equal": 2}),
    ],
)
def test_what_is_counted(changes: dict[str, Any], part: str, numbers: dict[str, int]) -> None:
    assert case(changed(RESUMED, **changes)).document()[part] == numbers


def test_values_absent_from_both_runs_do_not_count() -> None:
    for no_rate in (None, math.nan):
        silent = changed(
            CONTROL, batches=dict.fromkeys(range(8)), rates=dict.fromkeys(range(8), no_rate)
        )
        document = case(resumed(silent), control=silent).document()
        assert document["batches"] == document["learning_rate"] == {"compared": 0, "equal": 0}


@pytest.mark.parametrize(
    ("losses", "largest"),
    [({}, 0.0), ({5: math.nan, 6: 2 / 7 - 0.25}, 0.25), ({5: 1 / 3 + math.inf}, math.inf)],
)
def test_the_largest_difference_of_losses(losses: dict[int, float], largest: float) -> None:
    document = case(changed(RESUMED, losses=losses)).document()
    assert document["train_loss"]["max_abs_diff"] == pytest.approx(largest)


def test_the_largest_of_only_nan_is_nan() -> None:
    document = case(changed(RESUMED, losses=dict.fromkeys(AFTER, math.nan))).document()
    assert math.isnan(document["train_loss"]["max_abs_diff"])


def test_noise_and_accepted_differences_are_in_the_document() -> None:
    judged = replace(case(LOST, "moving-statistics-lost"), noise=NoiseFloor(2, final={"w": 0.5}))
    document = judged.document()
    assert document["noise"]["repeats"] == 2
    assert [each["cause"] for each in document["allowed"]] == ["moving-statistics-lost"]


def test_evaluation_losses_that_look_equal_show_their_difference() -> None:
    near = changed(RESUMED, losses={7: 9.0}, evaluations={5: 0.2 + 1e-9})
    assert numbers(case(near))[1] == "0.2 ≠ 0.2, by 1e-09"
