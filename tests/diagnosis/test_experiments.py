"""Experiments replace the diagnoses that they explain."""

import numpy as np
import pytest

from ckptcheck.comparison.compare import compare
from ckptcheck.comparison.comparison import Comparison
from ckptcheck.diagnosis.catalogue import CAUSES
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.diagnosis.diagnose import diagnose
from ckptcheck.diagnosis.experiments import explained, needed, settles
from ckptcheck.run.run import Run
from ckptcheck.run.task import REMEMBERED, SAME_HASH
from tests.builder import AFTER, STEPS, changed, control, resumed, value

WAITING = {"initial": {"plateau.wait": 0.0}, "boundary-5": {"plateau.wait": 2.0}}
FORGOTTEN = {"boundary-5": {"plateau.wait": 0.0}}
CONTROL = changed(control(), attributes=WAITING)
RESUMED = resumed(CONTROL)
EQUAL = compare(CONTROL, RESUMED)
ZEROS = np.zeros((2, 3), np.float32)

OTHER_BATCHES = changed(RESUMED, batches={step: f"own-{step}" for step in AFTER})
OTHER_RATES = changed(RESUMED, rates={6: 0.05, 7: 0.05}, losses={7: 0.5}, attributes=FORGOTTEN)


def named(*causes: str) -> list[Diagnosis]:
    return [Diagnosis(cause, None, "", "") for cause in causes]


def of(run: Run) -> tuple[list[Diagnosis], Comparison]:
    comparison = compare(CONTROL, run)
    return diagnose(comparison), comparison


def after_experiments(run: Run, tried: dict[str, Run]) -> list[tuple[str, str]]:
    """Return the causes and sentences of a run after experiments with it."""
    found, comparison = of(run)
    after = explained(
        found, comparison, {name: compare(CONTROL, each) for name, each in tried.items()}
    )
    return [(each.cause, _whole(each)) for each in after]


def _whole(diagnosis: Diagnosis) -> str:
    """Return the sentence of a diagnosis, with its detail where that depends on the case."""
    by_case = "{" in CAUSES[diagnosis.cause].detail and diagnosis.detail
    return f"{diagnosis.sentence} {diagnosis.detail}" if by_case else diagnosis.sentence


# --- Which experiments are needed -------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "experiments"),
    [
        ("batches-differ", [SAME_HASH]),
        ("tensors-missing", [SAME_HASH]),
        ("learning-rate-differs", [REMEMBERED]),
        ("unexplained", [SAME_HASH, REMEMBERED]),
        ("slots-lost", []),
        ("data-restarted", []),
        ("w/*", []),  # a pattern is no cause
    ],
)
def test_needed_is_what_the_catalogue_says(cause: str, experiments: list[str]) -> None:
    forgot = compare(CONTROL, changed(RESUMED, attributes=FORGOTTEN))
    assert list(needed(named(cause), forgot)) == experiments


def test_needed_has_the_controls_values() -> None:
    forgot = compare(CONTROL, changed(RESUMED, attributes=FORGOTTEN))
    assert needed(named("unexplained"), forgot) == {
        SAME_HASH: {},
        REMEMBERED: {"plateau.wait": 2.0},
    }


def test_equal_attributes_are_not_put_in() -> None:
    assert needed(named("unexplained"), EQUAL) == {SAME_HASH: {}}
    assert needed(named("learning-rate-differs"), EQUAL) == {}


def test_an_experiment_settles_only_what_the_catalogue_says() -> None:
    assert {name for name, cause in CAUSES.items() if REMEMBERED in cause.settled_by} == {
        "hyperparameters-differ",
        "learning-rate-differs",
        "unexplained",
    }


# --- The control's hash seed ------------------------------------------------------------------


def test_it_recovers_with_the_controls_hash_seed() -> None:
    assert after_experiments(OTHER_BATCHES, {SAME_HASH: RESUMED}) == [
        (
            "depends-on-hash-order",
            "With the control's PYTHONHASHSEED, the same restore recovers.",
        )
    ]


def test_an_unexplained_difference_is_settled_only_if_nothing_differs() -> None:
    run = changed(RESUMED, losses={6: 0.5})
    assert after_experiments(run, {SAME_HASH: RESUMED}) == [
        (
            "depends-on-hash-order",
            "With the control's PYTHONHASHSEED, the same restore recovers.",
        )
    ]
    assert [
        cause
        for cause, _ in after_experiments(run, {SAME_HASH: changed(RESUMED, batches={6: "own"})})
    ] == ["unexplained"]


def test_remaining_causes_are_reported_beside_it() -> None:
    lost = changed(OTHER_BATCHES, boundary={"w/momentum": ZEROS})
    after = after_experiments(lost, {SAME_HASH: changed(RESUMED, boundary={"w/momentum": ZEROS})})
    assert [cause for cause, _ in after] == ["depends-on-hash-order", "slots-lost"]
    assert (
        after[0][1]
        == "With the control's PYTHONHASHSEED, the same restore no longer shows batches-differ."
    )


def test_data_that_differ_anew_settle_nothing() -> None:
    """Data that differ in a different way with the same hash seed settle nothing."""
    assert [
        cause
        for cause, _ in after_experiments(
            OTHER_BATCHES, {SAME_HASH: changed(RESUMED, batches={5: "batch-6", 6: "batch-7"})}
        )
    ] == ["batches-differ"]


def test_a_lost_tensor_does_not_depend_on_the_hash() -> None:
    lost = changed(RESUMED, boundary={"w/momentum": ZEROS})
    assert [cause for cause, _ in after_experiments(lost, {SAME_HASH: RESUMED})] == ["slots-lost"]


def test_an_experiment_that_shows_the_same_changes_nothing() -> None:
    assert [cause for cause, _ in after_experiments(OTHER_BATCHES, {SAME_HASH: OTHER_BATCHES})] == [
        "batches-differ"
    ]


def test_faults_of_the_control_stay() -> None:
    still = {"mean": ZEROS}
    ours = changed(CONTROL, boundary=still, final=still)
    theirs = changed(OTHER_BATCHES, boundary=still, final=still)
    comparison = compare(ours, theirs)
    recovered = compare(ours, changed(RESUMED, boundary=still, final=still))
    after = explained(diagnose(comparison), comparison, {SAME_HASH: recovered})
    assert [each.cause for each in after] == ["depends-on-hash-order", "statistics-never-move"]


# --- State of Python objects ------------------------------------------------------------------


def test_it_recovers_with_the_controls_python_state() -> None:
    assert after_experiments(OTHER_RATES, {REMEMBERED: RESUMED}) == [
        (
            "python-state-lost",
            "State outside the variables was not restored: plateau.wait is 0 instead of the "
            "control's 2. With the control's values inserted, the resumed run recovers.",
        )
    ]


def test_rates_from_the_second_step_on_are_enough() -> None:
    """A callback may set the first rate before anything can be inserted."""
    with_it = changed(RESUMED, rates={5: 0.05}, losses={7: 0.5})
    without = changed(
        RESUMED, rates=dict.fromkeys(AFTER, 0.05), losses={7: 0.5}, attributes=FORGOTTEN
    )
    assert after_experiments(without, {REMEMBERED: with_it}) == [
        (
            "python-state-lost",
            "State outside the variables was not restored: plateau.wait is 0 instead of the "
            "control's 2. With the control's values inserted, the resumed run no longer shows learning-rate-differs.",
        )
    ]
    # If only the first rate differs without the experiment, too, it shows nothing.
    assert [cause for cause, _ in after_experiments(with_it, {REMEMBERED: with_it})] == [
        "learning-rate-differs"
    ]


def test_more_than_two_attributes_are_counted() -> None:
    names = [f"callback.{letter}" for letter in "abcdef"]
    waiting = {"initial": dict.fromkeys(names, 0.0), "boundary-5": dict.fromkeys(names, 2.0)}
    ours = changed(CONTROL, attributes=waiting)
    comparison = compare(
        ours, changed(OTHER_RATES, attributes={"boundary-5": dict.fromkeys(names, 0.0)})
    )
    (found,) = explained(diagnose(comparison), comparison, {REMEMBERED: EQUAL})
    assert found.sentence.endswith("callback.b is 0 instead of the control's 2; and 4 more.")
    assert found.detail == "With the control's values inserted, the resumed run recovers."


def test_causes_that_python_state_does_not_explain() -> None:
    assert [cause for cause, _ in after_experiments(OTHER_RATES, {REMEMBERED: OTHER_RATES})] == [
        "learning-rate-differs"
    ]
    assert [cause for cause, _ in after_experiments(OTHER_BATCHES, {REMEMBERED: RESUMED})] == [
        "batches-differ"
    ]


def test_both_experiments() -> None:
    both = changed(OTHER_RATES, batches={step: f"own-{step}" for step in AFTER})
    tried = {SAME_HASH: OTHER_RATES, REMEMBERED: OTHER_BATCHES}
    assert [cause for cause, _ in after_experiments(both, tried)] == [
        "python-state-lost",
        "depends-on-hash-order",
    ]


def test_without_experiments_nothing_changes() -> None:
    found, comparison = of(OTHER_RATES)
    assert explained(found, comparison, {}) == found


# --- What is accepted -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "tried", "settled"),
    [
        ("python-state-lost", {REMEMBERED: EQUAL}, True),
        ("python-state-lost", {SAME_HASH: EQUAL}, False),
        ("python-state-lost", {}, False),
        ("depends-on-hash-order", {SAME_HASH: EQUAL}, True),
        ("slots-lost", {SAME_HASH: EQUAL, REMEMBERED: EQUAL}, False),
        ("w/*", {SAME_HASH: EQUAL, REMEMBERED: EQUAL}, False),
        (
            "python-state-lost",
            {REMEMBERED: compare(CONTROL, changed(RESUMED, losses={7: 0.5}))},
            False,
        ),
    ],
)
def test_settles(accepted: str, tried: dict[str, Comparison], settled: bool) -> None:
    assert settles(named(accepted), tried) is settled


def test_nothing_accepted_settles_nothing() -> None:
    assert not settles([], {REMEMBERED: EQUAL, SAME_HASH: EQUAL})


def test_a_run_whose_end_differs_is_not_settled() -> None:
    end = compare(CONTROL, changed(RESUMED, final={"w": value("w", STEPS) + np.float32(1)}))
    assert not settles(named("python-state-lost"), {REMEMBERED: end})
