"""Planted defects in fresh processes: each must stop a PASS, with the right cause."""

from dataclasses import replace

import pytest

from ckptcheck import Case, Report, UsageError, verify
from ckptcheck.report.validity import why_nothing_compared
from tests.planted_jobs import (
    FILES,
    PlantedJob,
    assert_shown,
    by_id,
    causes,
    planted_jobs,
    toy,
    verified,
)
from tests.rows import at_boundary

DIVERGED, REFUSED = planted_jobs("diverged"), planted_jobs("refused")
INCONCLUSIVE, RECOVERED = planted_jobs("inconclusive"), planted_jobs("recovered")


@pytest.fixture(scope="module")
def shown() -> dict[str, list[Case]]:
    return verified([*DIVERGED, *REFUSED, *INCONCLUSIVE, *RECOVERED])


@pytest.fixture(scope="module")
def cases(shown: dict[str, list[Case]]) -> dict[str, Case]:
    return {name: cases[0] for name, cases in shown.items()}


@by_id(DIVERGED)
def test_defect_diverges(planted: PlantedJob, shown: dict[str, list[Case]]) -> None:
    assert_shown(planted, shown[planted.id])
    assert not any(case.as_expected for case in shown[planted.id])


@by_id(REFUSED)
def test_defect_is_refused(planted: PlantedJob, shown: dict[str, list[Case]]) -> None:
    assert_shown(planted, shown[planted.id])


@by_id(INCONCLUSIVE)
def test_defect_is_inconclusive(planted: PlantedJob, shown: dict[str, list[Case]]) -> None:
    assert_shown(planted, shown[planted.id])


@by_id(RECOVERED)
def test_clean_case_does_not_alarm(planted: PlantedJob, shown: dict[str, list[Case]]) -> None:
    assert_shown(planted, shown[planted.id])


def test_every_job_is_found() -> None:
    """A planted job that no test collects would be skipped silently."""
    written = sum(path.read_text().count("\n@planted(") for path in FILES)
    outcomes = ("diverged", "refused", "inconclusive", "recovered")
    assert len(planted_jobs(*outcomes)) + len(planted_jobs(*outcomes, hiding=True)) == written


def test_scratch_looks_perfect_by_step_number(cases: dict[str, Case]) -> None:
    """The reason to compare the boundary and the index of the first step."""
    case = cases["FromScratch"]
    assert case.control is not None
    assert case.resumed is not None
    assert case.resumed.losses == case.control.losses[: len(case.resumed.losses)]
    assert case.resumed.facts.first_step == 0


def test_python_state_is_confirmed_by_an_experiment(
    cases: dict[str, Case],
) -> None:
    def sentence(name: str) -> str:
        found = cases[name].diagnoses[0]
        return f"{found.sentence} {found.detail}"

    assert sentence("CountsItself") == (
        "State outside the variables was not restored: count is 0 instead of the control's 9. "
        "With the control's values inserted, the resumed run recovers."
    )
    assert sentence("RemembersALimit") == (
        "State outside the variables was not restored: clip.limit is 0.1 instead of the control's "
        "1. With the control's values inserted, the resumed run recovers."
    )
    # An attribute whose value changes nothing is only a hint.
    assert sentence("CountsCalls") == (
        "The learning rate is 0.004 instead of the control's 0.01, first at step 9. "
        "Python state differs, too: calls is 0 instead of the control's 9."
    )


def test_last_bit_is_measured(cases: dict[str, Case]) -> None:
    case = cases["LastBit"]
    row = at_boundary(case)["v"]
    assert (row.differing, row.elements, row.equal) == (1, 4, False)
    assert 0 < row.max_abs_diff < 1e-15


def test_values_that_a_job_does_not_show_are_not_compared(cases: dict[str, Case]) -> None:
    nothing = {"compared": 0, "equal": 0}
    document = cases["ShowsLess"].document()
    assert (document["batches"], document["learning_rate"]) == (nothing, nothing)
    assert document["train_loss"]["compared"] == 12


def test_fewer_steps_than_the_control_are_no_recovery(cases: dict[str, Case]) -> None:
    comparison = cases["Clean"].comparison
    assert comparison is not None
    assert why_nothing_compared(comparison) is None
    shorter = replace(comparison, steps=comparison.steps[:-1])
    assert why_nothing_compared(shorter) == (
        "Only 11 of the control's 12 steps after the boundary were compared: the resumed "
        "run ended early."
    )
    assert why_nothing_compared(replace(comparison, steps=comparison.steps[:0])) == (
        "No training step was compared: the resumed run executed none."
    )
    assert (
        why_nothing_compared(replace(comparison, evaluations=comparison.evaluations[:0]))
        == "No evaluation was compared: the runs have none in common."
    )


def test_the_resumed_process_is_a_new_one(cases: dict[str, Case]) -> None:
    case = cases["Clean"]
    assert case.control is not None
    assert case.resumed is not None
    assert case.control.facts.process != case.resumed.facts.process
    assert case.control.facts.hash_seed != case.resumed.facts.hash_seed
    assert case.control.facts.seed != case.resumed.facts.seed


def test_a_restore_that_repairs_the_checkpoint_does_not_repair_it_for_others() -> None:
    report = verify(toy("RepairsTheCheckpoint"), steps=21, boundary=9)
    assert [case.outcome for case in report.cases] == ["recovered", "diverged"]
    assert causes(report.cases[1]) == [("moving-statistics-lost", "omitted at save")]


def test_a_tensor_at_its_initial_value_at_the_boundary_is_reported() -> None:
    report = verify(toy("Accumulates"), steps=21, boundary=9)
    assert [case.outcome for case in report.cases] == ["recovered"]
    assert report.warnings() == [
        f"{toy('Accumulates')} × all: 1 of 7 tensors has its initial value at the boundary, so "
        "the run cannot show whether it is restored: sum. Choose a different --boundary."
    ]
    (case,) = verify(toy("Accumulates"), steps=21, boundary=10).cases
    assert case.outcome == "diverged"


def test_an_evaluation_that_changes_state_is_reported(cases: dict[str, Case]) -> None:
    assert Report((cases["EvaluationChanges"],), {}).warnings() == [
        f"{toy('EvaluationChanges')} × all: the evaluation changes mean: training after the "
        "boundary may differ from a run that does not evaluate there."
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "RestoresIsAText",
            f"The restores of {toy('RestoresIsAText')} are the string 'all', not a sequence of names. Write ('all',).",
        ),
        (
            "NoJob",
            f"{toy('NoJob')} is not a job: NoJob lacks next_step, evaluate, state, save, restore, steps_per_epoch. "
            "Implement ckptcheck.job.Job, or derive NoJob from a class in ckptcheck.adapters.",
        ),
        (
            "EpochOfNothing",
            f"steps_per_epoch of {toy('EpochOfNothing')} is 0. It must be an integer of at least 1.",
        ),
        (
            "NoRestores",
            f"{toy('NoRestores')} names no restore. Name at least one, as in restores = ('all',).",
        ),
        (
            "RestoresAlike",
            f"The restores all a, all-a of {toy('RestoresAlike')} would share a folder. Choose names that differ in letters, digits, dots "
            "or dashes.",
        ),
    ],
)
def test_errors_of_malformed_jobs(name: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        verify(toy(name), steps=21, boundary=9)
    assert str(raised.value) == message


def test_a_report_outlives_its_runs() -> None:
    """`verify` deletes its runs before it returns; every report can still be written."""
    report = verify(
        [toy(name) for name in ("TurnsNaN", "RaisesInTrain", "Missing", "Killed")],
        steps=21,
        boundary=9,
    )
    assert len(report.document()["cases"]) == 4
    assert report.warnings() == []
