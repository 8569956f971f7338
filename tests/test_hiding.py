"""A loss that another one could hide: every one of them must stop a PASS, and what is right beside them must not."""

from pathlib import Path

import pytest

from ckptcheck import Case, Report, UsageError, judge_folder, verify
from tests.conftest import PLANTED

JOBS = PLANTED / "hiding_jobs.py"


def verified(job: str, **asked: object) -> Report:
    return verify(f"{JOBS}:{job}", **({"steps": 21, "boundary": 9} | asked))  # type: ignore[arg-type]


def told(case: Case) -> tuple[str, list[str]]:
    return case.told_outcome, [each.cause for each in case.diagnoses]


# What is hidden: job → what is allowed, what is to be found all the same.
HIDDEN = {
    "CounterAndFirstStep": ("step-lost", "wrong-first-step"),
    "CounterAndHyperparameter": ("step-lost", "hyperparameters-differ"),
    "CounterAndRate": ("step-lost", "learning-rate-differs"),
    "GeneratorAndHiddenGenerator": ("generators-restarted", "generators-reseeded"),
    "CallbackAndRate": ("python-state-lost", "learning-rate-differs"),
    "TwoSettings": ("learning-rate-differs", "hyperparameters-differ"),
    "MetricAndEvaluation": ("mor*", "unexplained"),
    "MetricAndTraining": ("mor*", "unexplained"),
    "RoundingAndEvaluation": ("rounding", "unexplained"),
    "NudgedAndBatches": ("data-order", "unexplained"),
    "NudgedAndRate": ("learning-rate-differs", "unexplained"),
    "NudgedAndHyperparameter": ("hyperparameters-differ", "unexplained"),
    "NudgedAndDraws": ("generators-reseeded", "unexplained"),
    "LateSlotsAndGenerator": ("generators-restarted", "slots-lost"),
}


@pytest.fixture(scope="module")
def hidden() -> dict[str, Case]:
    found = {}
    for allow in {allow for allow, _ in HIDDEN.values()}:
        jobs = [f"{JOBS}:{job}" for job in HIDDEN if HIDDEN[job][0] == allow]
        found |= {case.job.rpartition(":")[2]: case for case in verify(jobs, steps=21, boundary=9, allow=[allow]).cases}
    return found


@pytest.mark.parametrize("job", HIDDEN)
def test_what_is_allowed_hides_nothing_else(job: str, hidden: dict[str, Case]) -> None:
    allow, found = HIDDEN[job]
    assert told(hidden[job]) == ("diverged", [found])
    assert [each.cause for each in hidden[job].allowed] == [allow]


def test_a_loss_before_what_was_found_has_another_reason() -> None:
    (case,) = verified("NudgedAndBatches").cases
    assert told(case) == ("diverged", ["data-order", "unexplained"])
    assert "and nothing that was found begins so early" in case.diagnoses[1].sentence


def test_what_came_to_be_in_a_step_that_was_another_one() -> None:
    (case,) = verified("LateSlotsRight", allow=["generators-restarted"]).cases
    assert told(case) == ("recovered, as allowed", [])
    (case,) = verified("LateSlotsUntold", allow=["generators-restarted"]).cases
    assert (case.outcome, case.reason) == (
        "inconclusive",
        "w/momentum came to be in the first step after the restore, which what is allowed made another one. Whether the restore "
        "filled them cannot be told: let the job show which keys its restore asks for (Restored), or make them before it.",
    )
    (case,) = verified("LateSlotsAndGenerator").cases
    assert [(each.cause, each.stage) for each in case.diagnoses] == [
        ("slots-lost", "omitted at save"),
        ("generators-restarted", "omitted at save"),
    ]


def test_our_evaluation_does_not_heal() -> None:
    (case,) = verified("EvaluationEndsInTraining").cases
    assert told(case) == ("diverged", ["unexplained"])
    (case,) = verify(f"{JOBS.with_name('toy_jobs.py')}:EvaluationReseeds", steps=21, boundaries="epoch").cases
    assert told(case) == ("diverged", ["unexplained"])


def test_our_evaluation_does_no_harm() -> None:
    """A run that is resumed from one boundary comes by the next ones, and evaluates there as its control did."""
    cases = verified("EvaluationDraws", boundaries=(9, 12, 15), boundary=None).cases
    assert [told(case) for case in cases] == [("recovered", [])] * 3


def test_what_is_shown_by_name() -> None:
    assert told(verified("BatchByName").cases[0]) == ("diverged", ["batches-differ"])
    assert told(verified("DrawsByName").cases[0]) == ("diverged", ["generators-reseeded"])


def test_no_noise_reaches_what_is_computed_from_one_state() -> None:
    for job in ("GrowsAndEvaluation", "GrowsAndFirstLoss"):
        assert told(verified(job, repeat=3).cases[0]) == ("diverged", ["unexplained"])


def test_tensors_with_names_of_their_own_in_each_process() -> None:
    assert told(verified("OwnNames").cases[0]) == ("recovered", [])
    assert told(verified("OwnNamesAndFinal", repeat=2).cases[0]) == ("diverged", ["unexplained"])


@pytest.mark.parametrize("job", ["LateJitters", "DrawsUnseeded", "RateUnseeded"])
def test_what_varies_by_itself_is_noise(job: str) -> None:
    assert told(verified(job).cases[0]) == ("inconclusive", ["noise"])
    assert told(verified(job, repeat=4).cases[0]) == ("recovered", [])


def test_noise_beside_a_loss() -> None:
    assert told(verified("UnseededAndSlots").cases[0]) == ("diverged", ["slots-lost", "noise"])


def test_judging_anew_says_the_same(tmp_path: Path) -> None:
    verified("LateJitters", folder=tmp_path / "runs")
    assert told(judge_folder(tmp_path / "runs").cases[0]) == ("inconclusive", ["noise"])


def test_a_tolerance_is_for_hyperparameters_too() -> None:
    assert told(verified("SettingFromState").cases[0]) == ("diverged", ["precision-lost", "hyperparameters-differ"])
    assert told(verified("SettingFromState", rtol=1e-4, atol=1e-5).cases[0]) == ("recovered", [])


def test_the_stage_follows_from_what_was_saved() -> None:
    (case,) = verified("SavesUntrained").cases
    assert case.outcome == "diverged"
    assert {each.stage for each in case.diagnoses} == {"omitted at save"}
    assert [each.cause for each in case.diagnoses] == [
        "moving-statistics-lost",
        "shadows-lost",
        "weights-lost",
        "slots-lost",
        "step-lost",
    ]
    # That another tensor's value is in the checkpoint is no sign of this one's.
    (case,) = verified("CopiesBeforeSaving", unsaved=False).cases
    assert [(each.cause, each.stage, each.tensors) for each in case.diagnoses] == [
        ("weights-lost", "omitted at save", ("copy",)),
    ]


def test_what_stands_still_for_want_of_an_update() -> None:
    assert told(verified("RateIsZero").cases[0]) == ("diverged", ["learning-rate-differs"])


def test_numbers_are_told_as_they_are() -> None:
    (case,) = verified("NegativeNumbers").cases
    assert [each.sentence for each in case.diagnoses] == [
        "1 hyperparameters are others than the control's: more is 0.5, the control's -0.5."
    ]


def test_what_is_no_finite_number_is_told_too() -> None:
    (case,) = verified("CounterIsNotFinite").cases
    assert [each.sentence for each in case.diagnoses] == [
        "The step counter is at 0.0, the control's at inf: batches, schedules and warm-ups start there again."
    ]
    (case,) = verified("SettingIsAFlag").cases
    assert [each.sentence for each in case.diagnoses] == [
        "1 hyperparameters are others than the control's: more is False, the control's True."
    ]


def test_a_fault_of_the_control_is_told_beside_what_is_allowed() -> None:
    (case,) = verified("CountsInvisiblyBesideDeadStatistics", allow=["python-state-lost"]).cases
    assert told(case) == ("recovered, as allowed", ["statistics-never-move"])


def test_hints_never_end_a_run() -> None:
    assert told(verified("LargeAttribute").cases[0]) == ("recovered", [])


def test_what_a_job_returns_is_checked() -> None:
    with pytest.raises(UsageError) as caught:
        verified("ReturnsADictionary")
    assert str(caught.value) == "restore returned dict; it returns nothing, or ckptcheck.Restored(asked, held, values)"
    (case,) = verified("ReturnsALoss").cases
    assert case.reason is not None
    assert "raised TypeError: train returned float; it must return ckptcheck.Step(loss, …)" in case.reason
    (case,) = verified("StateIsAList").cases
    assert case.reason is not None
    assert "state raised TypeError: state returned list; it must return tensors by name" in case.reason
