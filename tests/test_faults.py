"""Planted defects, each in real fresh processes: every one must stop a PASS, and be called by its name."""

from dataclasses import replace

import pytest

from ckptcheck import Case, Report, UsageError, verify
from ckptcheck.report.validity import why_nothing_compared
from tests.conftest import toy
from tests.planted import toy_jobs
from tests.rows import at_boundary

OMITTED, NOT_APPLIED, OVERWRITTEN = "omitted at save", "not applied at load", "overwritten after load"

JITTERS = "At the boundary every tensor is equal; what comes after it can only be judged against the job's own noise."

# defect → (outcome, [(cause, stage), …])
DIVERGED = {
    "NoRestore": [("nothing-restored", None)],
    "FromScratch": [("nothing-restored", None)],
    "LastBit": [("rounding", None)],
    "SkippedBatch": [("data-shifted", None)],
    "RepeatedStep": [("wrong-first-step", None)],
    "OtherRate": [("learning-rate-differs", None)],
    "StatisticsNotSaved": [("moving-statistics-lost", OMITTED)],
    "StatisticsNotApplied": [("moving-statistics-lost", NOT_APPLIED)],
    "StatisticsOverwritten": [("moving-statistics-lost", OVERWRITTEN)],
    "SlotsLost": [("slots-lost", NOT_APPLIED)],
    "StepLost": [("step-lost", NOT_APPLIED)],
    "ShadowLost": [("shadows-lost", NOT_APPLIED)],
    "ShadowInWeight": [("shadows-in-weights", None), ("shadows-lost", NOT_APPLIED)],
    "Swapped": [("weights-swapped", None)],
    "OtherDtype": [("tensors-missing", None)],
    "TensorGone": [("tensors-missing", None)],
    "HiddenInEvaluation": [("unexplained", None)],
    "HiddenInLastLoss": [("unexplained", None)],
    "HiddenInFinalState": [("statistics-restarted", None)],
    "RaisesInTrain": [("resumed-run-raised", None)],
    "EvaluationReseeds": [("unexplained", None)],
    "OtherByteOrder": [("tensors-missing", None)],
    "HalfNaN": [("not-finite", NOT_APPLIED)],
    "OtherSignOfRate": [("learning-rate-differs", None)],
    "HalfAStep": [("resumed-run-raised", None)],
    "NextStepRaises": [("resumed-run-raised", None)],
    "JittersAndLoses": [("slots-lost", NOT_APPLIED), ("noise", None)],
    "Rounds": [("precision-lost", OVERWRITTEN)],
    "CreatesLateAndForgets": [("slots-lost", None)],
    "EncodedBySet": [("depends-on-hash-order", None)],
    "CountsItself": [("python-state-lost", None)],
    "WaitsForLoss": [("python-state-lost", None)],
    "RemembersALimit": [("python-state-lost", None)],
    "CountsCalls": [("learning-rate-differs", None)],
    "TwoGenerators": [("generators-restarted", None), ("generators-reseeded", None)],
    "OtherSettings": [("hyperparameters-differ", None)],
    "DrawsAgain": [("generators-restarted", None)],
    "DrawsAnew": [("generators-reseeded", None)],
    "OlderCheckpoint": [("older-checkpoint", None)],
    "DecaysInTheRestore": [("weights-scaled", OVERWRITTEN)],
    "RenamedAndLost": [("slots-lost", NOT_APPLIED)],
    "Stops": [("mode-differs", None)],
    "LossScaleLost": [("loss-scale-lost", NOT_APPLIED)],
}
REFUSED = {"Missing": [("restore-raised", None)]}
INCONCLUSIVE = {
    "NoState": "No state tensor was compared: the job showed none.",
    "NoStateInTheEnd": "No state tensor was compared after the last step: the job showed none there.",
    "NothingPoisoned": "Nothing shows that the restore did anything: before it, every tensor of the new process was already "
    "equal to the control's at the boundary.",
    "SavesElsewhere": "No checkpoint was seen: the control's save left no file in the folder it was given.",
    "LeavesAtOnce": "The resumed run did not finish: its process left no record.",
    "TurnsNaN": "The control's training loss is nan at step 4: there is no run to go on with.",
    "ControlRaises": "The control did not finish: train, step 5, raised RuntimeError: a bad image (toy_jobs.py:{line}).",
    "RaisesInInit": "The control did not finish: it could not be set up: RuntimeError: no such data at toy_jobs.py:{line}.",
    "NeedsTheNetwork": "The control did not finish: The dataset could not be fetched. Use another one.",
    "Killed": "The resumed run did not finish: it was killed by SIGKILL; the kernel ends a process in this way when memory "
    "runs out.",
    "OutOfMemory": "The resumed run did not finish: it ran out of memory.",
    "DiskFull": "The control did not finish: it could not write its files: No space left on device.",
    "Leaves": "The resumed run did not finish: it left by SystemExit: 0.",
    "OtherEnvironment": "The two runs had different environments: TF_ENABLE_ONEDNN_OPTS is unset in the control and 0 in the "
    "resumed run.",
    "PointsInBinary": "The resumed run did not finish: its checkpoint (checkpoint) names the folder it was saved to by an absolute "
    "path, and so would be restored from there and not from what a crash leaves. Save by paths relative to the folder.",
    "ReadsBeside": f"The resumed run did not finish: its restore read {toy_jobs.ReadsBeside.beside}, which was written during this "
    "verification and is not part of the checkpoint: a crash may not leave it as it was read.",
    "LessInTheEnd": "5 state tensors were not shown after the last step, mean for one.",
    "CountsFromOne": "The control did not finish: its next_step says 10 after 9 steps; the steps are counted from 0.",
    "HasAMask": "The control did not finish: state raised TypeError: the state tensor mask has dtype float64, which cannot be "
    "recorded.",
    "Jitters": JITTERS,
    "JittersAndDrifts": JITTERS,
    "Unseeded": "The job draws its batches in an order that no seed decides, so which batch comes next cannot be judged.",
    "ReadsTheClock": "The control did not finish: its state changes by itself: now for one had two values with no step and no "
    "evaluation in between. A state that reads a clock or draws random numbers cannot be compared.",
    "LossIsText": "The control did not finish: train, step 5, raised TypeError: the loss is 'much', which is no number.",
    "BatchOfObjects": "The control did not finish: train, step 0, raised TypeError: a batch holds an array of Python objects (ndarray), "
    "which cannot be recorded.",
    "EvaluatesToNothing": "The control did not finish: evaluate raised TypeError: the evaluation loss is None, which is no number: float() "
    "argument must be a string or a real number, not 'NoneType'.",
    "LoopRaises": "The control did not finish: train, step 0, raised RuntimeError: no more of this (toy_jobs.py:{line}).",
    "LoopsTooShort": "The control did not finish: its training loop ended after 15 of 21 steps. Let it train for more epochs, or give "
    "fewer --steps.",
    "NameIsNoText": "The control did not finish: state raised TypeError: the state tensor ('w', 0) has a name that is no text.",
}
RECOVERED = {
    "Clean": [],
    "StateIsPlain": [],
    "make_clean": [],
    "Loops": [],
    "CreatesLate": [],
    "Prints": [],
    "ShowsLess": [],
    "DeadStatistics": [("statistics-never-move", "never live")],
    "LossInPlace": [],
    "RateIsNaN": [],
    "SetsHashSeed": [],
    "WritesBeside": [],
    "PointsToItsFolder": [],
    "UnpacksTheCheckpoint": [],
    "EvaluationChanges": [],
    "BatchIsAnArray": [],
    "HasText": [],
    "SavesAverages": [("saving-changes-the-run", None)],
    "SavingTakesABatch": [("saving-changes-the-run", None)],
    "Renamed": [],
    "NeverAveraged": [("shadows-never-move", "never live")],
}


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    names = [*DIVERGED, *REFUSED, *INCONCLUSIVE, *RECOVERED]
    report = verify([toy(name) for name in names], steps=21, boundary=9)
    return dict(zip(names, report.cases, strict=True))


def found(case: Case) -> list[tuple[str, str | None]]:
    return [(each.cause, each.stage) for each in case.diagnoses]


@pytest.mark.parametrize("name", DIVERGED)
def test_defect_diverges(name: str, cases: dict[str, Case]) -> None:
    assert (cases[name].outcome, found(cases[name])) == ("diverged", DIVERGED[name])
    assert not cases[name].as_expected


@pytest.mark.parametrize("name", REFUSED)
def test_defect_is_refused(name: str, cases: dict[str, Case]) -> None:
    assert (cases[name].outcome, found(cases[name])) == ("refused", REFUSED[name])


@pytest.mark.parametrize("name", INCONCLUSIVE)
def test_defect_is_inconclusive(name: str, cases: dict[str, Case]) -> None:
    case = cases[name]
    assert case.outcome == "inconclusive"
    assert case.reason == INCONCLUSIVE[name].replace("{line}", str(line_of_raise(name)))
    # A job that varies by itself is told where; of all others nothing is known.
    told = [each.sentence for each in case.diagnoses]
    assert told == ([f"When the control is run again, {case.noise.first_difference}."] if case.noise else [])
    assert (case.noise is not None) == (name in ("Jitters", "JittersAndDrifts", "Unseeded"))


@pytest.mark.parametrize("name", RECOVERED)
def test_clean_case_does_not_alarm(name: str, cases: dict[str, Case]) -> None:
    assert (cases[name].outcome, found(cases[name])) == ("recovered", RECOVERED[name])


def line_of_raise(name: str) -> int:
    import inspect

    lines, start = inspect.getsourcelines(getattr(toy_jobs, name))
    return start + next((index for index, line in enumerate(lines) if "raise " in line), 0)


def test_scratch_looks_perfect_by_step_number(cases: dict[str, Case]) -> None:
    """The trap that the boundary and the first step index are compared for."""
    case = cases["FromScratch"]
    assert case.control is not None
    assert case.resumed is not None
    assert case.resumed.losses == case.control.losses[: len(case.resumed.losses)]
    assert case.resumed.facts.first_step == 0


def test_what_a_program_remembers_is_put_in_to_see_whether_that_is_it(cases: dict[str, Case]) -> None:
    def sentence(name: str) -> str:
        return cases[name].diagnoses[0].sentence

    assert sentence("CountsItself") == (
        "What the program remembers outside of variables did not come back: count is 0, the control's 9. With the control's "
        "values put in, the resumed run recovers."
    )
    assert sentence("RemembersALimit") == (
        "What the program remembers outside of variables did not come back: clip.limit is 0.1, the control's 1. With the "
        "control's values put in, the resumed run recovers."
    )
    # What changes nothing is a hint at most.
    assert sentence("CountsCalls") == (
        "The learning rate is 0.004, the control's is 0.01, first at step 9 (calls is 0, the control's 9)."
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
    assert why_nothing_compared(shorter) == "Only 11 of the control's 12 steps after the boundary were compared."
    assert why_nothing_compared(replace(comparison, steps=comparison.steps[:0])) == (
        "No training step was compared: the resumed run executed none."
    )
    assert why_nothing_compared(replace(comparison, evaluations=comparison.evaluations[:0])) == "No evaluation was compared."


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
    assert found(report.cases[1]) == [("moving-statistics-lost", OMITTED)]


def test_what_is_at_its_initial_value_at_the_boundary_is_told() -> None:
    report = verify(toy("Accumulates"), steps=21, boundary=9)
    assert [case.outcome for case in report.cases] == ["recovered"]
    assert report.warnings() == [
        f"{toy('Accumulates')} × all: 1 of 7 tensors have at the boundary the value they start with, so nothing shows that they "
        "come back: sum. Try another --boundary."
    ]
    (case,) = verify(toy("Accumulates"), steps=21, boundary=10).cases
    assert case.outcome == "diverged"


def test_an_evaluation_that_changes_state_is_told(cases: dict[str, Case]) -> None:
    assert Report((cases["EvaluationChanges"],), {}).warnings() == [
        f"{toy('EvaluationChanges')} × all: the evaluation changes mean, and with it the training after the boundary, where a "
        "training run may not evaluate."
    ]


def test_nan_proves_no_restore() -> None:
    (case,) = verify(toy("ConstantNaN"), steps=21, boundary=9, equal_nan=True).cases
    assert (case.outcome, case.reason) == ("inconclusive", INCONCLUSIVE["NothingPoisoned"])


def test_half_a_nan_is_not_equal_on_request() -> None:
    (case,) = verify(toy("HalfNaN"), steps=21, boundary=9, equal_nan=True).cases
    assert (case.outcome, found(case)) == ("diverged", DIVERGED["HalfNaN"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("RestoresIsAText", "The restores of a job are a sequence of names, not the text 'all': write ('all',)."),
        (
            "NoJob",
            f"{toy('NoJob')} gives an object of type NoJob, which is no job: it has no next_step, evaluate, state, save, restore, "
            "steps_per_epoch. See ckptcheck.job.Job, or take one of the classes in ckptcheck.adapters as a base.",
        ),
        ("EpochOfNothing", f"steps_per_epoch of {toy('EpochOfNothing')} is 0: it must be a whole number of at least 1."),
        ("NoRestores", "The job names no restore: there is nothing to verify."),
        ("RestoresAlike", "The restores all a, all-a need names that differ in letters, digits, dots or dashes."),
    ],
)
def test_names_of_restores_that_cannot_be(name: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        verify(toy(name), steps=21, boundary=9)
    assert str(raised.value) == message


def test_a_report_outlives_its_runs() -> None:
    """The runs are gone when `verify` returns; whatever a case came to, the report can still be written."""
    report = verify([toy(name) for name in ("TurnsNaN", "RaisesInTrain", "Missing", "Killed")], steps=21, boundary=9)
    assert len(report.document()["cases"]) == 4
    assert report.warnings() == []


def test_nan_is_equal_on_request() -> None:
    report = verify(toy("TurnsNaN"), steps=21, boundary=3, equal_nan=True)
    assert [case.outcome for case in report.cases] == ["recovered"]
