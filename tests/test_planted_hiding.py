"""A loss that another one could hide: every one of them must stop a PASS, and what is right beside them must not."""

from pathlib import Path

import pytest

from ckptcheck import Case, UsageError, judge_folder, verify
from tests.planted_jobs import (
    SHORT,
    PlantedJob,
    assert_shown,
    by_id,
    causes,
    planted_jobs,
    toy,
    verified,
)

HIDDEN = planted_jobs("diverged", "inconclusive", "recovered", hiding=True)


@pytest.fixture(scope="module")
def shown() -> dict[str, list[Case]]:
    return verified(HIDDEN)


@by_id(HIDDEN)
def test_nothing_is_hidden(planted: PlantedJob, shown: dict[str, list[Case]]) -> None:
    assert_shown(planted, shown[planted.id])


def test_a_loss_before_what_was_found_has_another_reason() -> None:
    (case,) = verify(toy("NudgedAndBatches"), **SHORT).cases
    assert (case.outcome, causes(case)) == (
        "diverged",
        [("data-order", None), ("unexplained", None)],
    )
    assert case.diagnoses[1].detail.startswith("No cause that was found acts this early.")


def test_judging_anew_says_the_same(tmp_path: Path) -> None:
    verify(toy("LateJitters"), folder=tmp_path / "runs", **SHORT)
    (case,) = judge_folder(tmp_path / "runs").cases
    assert (case.told_outcome, causes(case)) == ("inconclusive", [("noise", None)])


def test_another_tensors_value_in_the_checkpoint_is_no_sign_of_this_one(
    shown: dict[str, list[Case]],
) -> None:
    (case,) = shown["CopiesBeforeSaving-unsaved=False"]
    assert [diagnosis.tensors for diagnosis in case.diagnoses] == [("copy",)]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "NegativeNumbers",
            "1 hyperparameter differs from the control's: more is 0.5 instead of the control's -0.5.",
        ),
        (
            "CounterIsNotFinite",
            "The step counter is 0.0 instead of the control's inf.",
        ),
        (
            "SettingIsAFlag",
            "1 hyperparameter differs from the control's: more is False instead of the control's True.",
        ),
    ],
)
def test_numbers_are_told_as_they_are(
    name: str, sentence: str, shown: dict[str, list[Case]]
) -> None:
    (case,) = shown[name]
    assert [diagnosis.sentence for diagnosis in case.diagnoses] == [sentence]


def test_what_a_job_returns_is_checked() -> None:
    with pytest.raises(UsageError) as caught:
        verify(toy("ReturnsADictionary"), **SHORT)
    assert (
        str(caught.value)
        == "restore returned dict; it returns nothing, or ckptcheck.Restored(asked, held, values)"
    )
    loss, state = verify([toy("ReturnsALoss"), toy("StateIsAList")], **SHORT).cases
    assert loss.reason is not None
    assert (
        "raised TypeError: train returned float; it must return ckptcheck.Step(loss, …)"
        in loss.reason
    )
    assert state.reason is not None
    assert (
        "state raised TypeError: state returned list; it must return tensors by name"
        in state.reason
    )
