"""Planted defects, each in real fresh processes: every one must stop a PASS, and be called by its name."""

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
    """A planted job that is collected nowhere would be a defect quietly skipped."""
    written = sum(path.read_text().count("\n@planted(") for path in FILES)
    outcomes = ("diverged", "refused", "inconclusive", "recovered")
    assert len(planted_jobs(*outcomes)) + len(planted_jobs(*outcomes, hiding=True)) == written


def test_scratch_looks_perfect_by_step_number(cases: dict[str, Case]) -> None:
    """The trap that the boundary and the first step index are compared for."""
    case = cases["FromScratch"]
    assert case.control is not None
    assert case.resumed is not None
    assert case.resumed.losses == case.control.losses[: len(case.resumed.losses)]
    assert case.resumed.facts.first_step == 0


def test_what_a_program_remembers_is_put_in_to_see_whether_that_is_it(
    cases: dict[str, Case],
) -> None:
    def sentence(name: str) -> str:
        found = cases[name].diagnoses[0]
        return f"{found.sentence} {found.detail}"

    assert sentence("CountsItself") == (
        "State outside the variables was not restored: count is 0 instead of the control's 9. "
        "With the control's values put in, the resumed run recovers."
    )
    assert sentence("RemembersALimit") == (
        "State outside the variables was not restored: clip.limit is 0.1 instead of the control's "
        "1. With the control's values put in, the resumed run recovers."
    )
    # What changes nothing is a hint at most.
    assert sentence("CountsCalls") == (
        "The learning rate is 0.004 instead of the control's 0.01, first at step 9. "
        "Python state differs, too: calls is 0 instead of the control's 9."
    )


def test_last_bit_is_measured(cases: dict[str, Case]) -> None:
    case = cases["LastBit"]
    row = at_boundary(case)["v"]
    assert (row.differing, row.elements, row.equal) == (1, 4, False)
    assert 0 < row.max_abs_diff < 1e-15


def test_what_was_not_shown_does_not_count_as_compared(cases: dict[str, Case]) -> None:
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


def test_the_resumed_process_is_another_one(cases: dict[str, Case]) -> None:
    case = cases["Clean"]
    assert case.control is not None
    assert case.resumed is not None
    assert case.control.facts.process != case.resumed.facts.process
    assert case.control.facts.hash_seed != case.resumed.facts.hash_seed
    assert case.control.facts.seed != case.resumed.facts.seed


def test_a_restore_that_mends_the_checkpoint_does_not_mend_it_for_others() -> None:
    report = verify(toy("MendsTheCheckpoint"), steps=21, boundary=9)
    assert [case.outcome for case in report.cases] == ["recovered", "diverged"]
    assert causes(report.cases[1]) == [("moving-statistics-lost", "omitted at save")]


def test_what_is_at_its_initial_value_at_the_boundary_is_told() -> None:
    report = verify(toy("Accumulates"), steps=21, boundary=9)
    assert [case.outcome for case in report.cases] == ["recovered"]
    assert report.warnings() == [
        f"{toy('Accumulates')} × all: 1 of 7 tensors has its initial value at the boundary, so "
        "the run cannot show whether it is restored: sum. Choose a different --boundary."
    ]
    (case,) = verify(toy("Accumulates"), steps=21, boundary=10).cases
    assert case.outcome == "diverged"


def test_an_evaluation_that_changes_state_is_told(cases: dict[str, Case]) -> None:
    assert Report((cases["EvaluationChanges"],), {}).warnings() == [
        f"{toy('EvaluationChanges')} × all: the evaluation changes mean: training after the "
        "boundary may differ from a run that does not evaluate there."
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "RestoresIsAText",
            "The restores of a job are a sequence of names, not the text 'all': write ('all',).",
        ),
        (
            "NoJob",
            f"{toy('NoJob')} gives an object of type NoJob, which is no job: it has no next_step, evaluate, state, save, restore, "
            "steps_per_epoch. See ckptcheck.job.Job, or take one of the classes in ckptcheck.adapters as a base.",
        ),
        (
            "EpochOfNothing",
            f"steps_per_epoch of {toy('EpochOfNothing')} is 0: it must be a whole number of at least 1.",
        ),
        ("NoRestores", "The job names no restore: there is nothing to verify."),
        (
            "RestoresAlike",
            "The restores all a, all-a need names that differ in letters, digits, dots or dashes.",
        ),
    ],
)
def test_names_of_restores_that_cannot_be(name: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        verify(toy(name), steps=21, boundary=9)
    assert str(raised.value) == message


def test_a_report_outlives_its_runs() -> None:
    """The runs are gone when `verify` returns; whatever a case came to, the report can still be written."""
    report = verify(
        [toy(name) for name in ("TurnsNaN", "RaisesInTrain", "Missing", "Killed")],
        steps=21,
        boundary=9,
    )
    assert len(report.document()["cases"]) == 4
    assert report.warnings() == []
