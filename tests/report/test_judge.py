"""The verdict on a pair of runs: every outcome, and every branch that leads to it."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ckptcheck.comparison.noise_floor import NoiseFloor
from ckptcheck.diagnosis.allowances import STRICT, Terms, parse
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from ckptcheck.report.answer import verdict_line
from ckptcheck.report.case import Case, RestoreError
from ckptcheck.report.evidence import Pair
from ckptcheck.report.judge import (
    Question,
    Verdict,
    experiments_for,
    is_clear,
    judge_pair,
    needs_repeat,
    report,
    verdict_on,
)
from ckptcheck.report.sentences import headline
from ckptcheck.run.digests import snapshot_digest
from ckptcheck.run.run import RECORDED, Failure, Run
from ckptcheck.run.task import REMEMBERED, SAME_HASH
from ckptcheck.tolerance import Tolerance
from tests.builder import (
    AFTER,
    STEPS,
    Values,
    changed,
    control,
    cut,
    fresh,
    of_command,
    renamed,
    resumed,
    value,
)

CONTROL = control()
RESUMED = resumed(CONTROL)
ZEROS = np.zeros((2, 3), np.float32)
QUESTION = Question("job", "all", "recovered")
SLOTS_LOST = changed(RESUMED, boundary={"w/momentum": ZEROS}, losses={6: 0.5})
HIDDEN = changed(RESUMED, losses={6: 0.5})


def verdict(
    run: Run = RESUMED,
    *allowed: str,
    control: Run = CONTROL,
    tolerance: Tolerance | None = None,
    **pair: Any,
) -> Verdict:
    return verdict_on(Pair(control, run, **pair), Terms(tolerance or Tolerance(), parse(allowed)))


def case(run: Run = RESUMED, *allowed: str, question: Question = QUESTION, **pair: Any) -> Case:
    return judge_pair(question, Pair(CONTROL, run, **pair), Terms(allowed=parse(allowed)))


def causes(judged: Verdict | Case) -> list[str]:
    return [each.cause for each in judged.diagnoses]


# --- Outcomes -----------------------------------------------------------------------------------


def test_recovered() -> None:
    said = verdict()
    assert said.outcome == "recovered"
    assert (said.reason, said.error, said.diagnoses, said.accepted, said.not_needed) == (
        None,
        None,
        (),
        (),
        (),
    )
    assert said.comparison is not None
    assert said.comparison.exact


def test_recovered_with_a_fault_of_the_control() -> None:
    still: Values = {"mean": ZEROS}
    dead = changed(CONTROL, boundary=still, final=still)
    said = verdict(resumed(dead), control=dead)
    assert (said.outcome, causes(said)) == ("recovered", ["statistics-never-move"])


def test_diverged() -> None:
    said = verdict(SLOTS_LOST)
    assert (said.outcome, causes(said), said.reason) == ("diverged", ["slots-lost"], None)


def test_diverged_by_raising() -> None:
    said = verdict(changed(cut(RESUMED, 1), failure=Failure("train", "ValueError", "no slot", 6)))
    assert (said.outcome, causes(said), said.comparison) == (
        "diverged",
        ["resumed-run-raised"],
        None,
    )
    # After a build and a step, a failed build is no excuse.
    assert (
        verdict(changed(RESUMED, failure=Failure("state", "ValueError", "…"))).outcome == "diverged"
    )


def test_refused() -> None:
    run = changed(
        RESUMED,
        failure=Failure("restore", "NotFoundError", "Key a not found\nmore"),
        first_step=None,
        asked={"w": "a", "v": "b"},
        held=["b"],
    )
    said = verdict(run)
    assert (said.outcome, causes(said), said.comparison) == (
        "refused",
        ["keys-not-in-checkpoint"],
        None,
    )
    assert said.error == RestoreError("NotFoundError", "Key a not found\nmore", ("a",))


@pytest.mark.parametrize("during", ["build", "state"])
def test_inconclusive_before_the_restore(during: str) -> None:
    said = verdict(
        changed(
            RESUMED,
            failure=Failure(during, "ValueError", "no data.", place="job.py:3"),
            first_step=None,
        )
    )
    assert (said.outcome, said.diagnoses, said.comparison) == ("inconclusive", (), None)
    assert said.reason == (
        f"The resumed run failed before its restore: {during} raised ValueError: no data "
        "(job.py:3)."
    )


def test_inconclusive_where_runs_cannot_be_compared() -> None:
    said = verdict(changed(RESUMED, hash_seed="1", failure=Failure("restore", "ValueError", "…")))
    assert (said.outcome, said.comparison) == ("inconclusive", None)
    assert said.reason == (
        "Both runs had PYTHONHASHSEED=1, so a dependence on the order of sets would not "
        "show. Set a different value for the resumed run."
    )


def test_inconclusive_where_nothing_was_compared() -> None:
    said = verdict(cut(RESUMED, 2))
    assert (said.outcome, said.comparison) == ("inconclusive", None)
    assert said.reason == (
        "Only 2 of the control's 3 steps after the boundary were "
        "compared: the resumed run ended early."
    )


def test_a_script_need_not_evaluate() -> None:
    silent = changed(RESUMED, evaluations=dict.fromkeys((5, 6, 8)))
    assert verdict(silent).reason == "No evaluation was compared: the runs have none in common."
    assert verdict(silent, control=changed(CONTROL, role=RECORDED)).outcome == "recovered"


def test_within_a_tolerance() -> None:
    off = changed(RESUMED, losses={6: 2 / 7 * 1.001})
    assert verdict(off).outcome == "diverged"
    within = verdict(off, tolerance=Tolerance(rtol=0.01))
    assert (within.outcome, within.diagnoses) == ("recovered", ())
    assert within.comparison is not None
    assert not within.comparison.exact


def test_nan_on_request() -> None:
    nan = changed(CONTROL, losses={6: math.nan})
    assert verdict(resumed(nan), control=nan).reason == (
        "The control's training loss is nan at step 6, so no training is left to compare. "
        "Fix the job, or count NaN as equal with --equal-nan."
    )
    assert (
        verdict(resumed(nan), control=nan, tolerance=Tolerance(equal_nan=True)).outcome
        == "recovered"
    )


# --- Noise --------------------------------------------------------------------------------------

# The noise of the job: half of the difference in HIDDEN.
NOISE = NoiseFloor(
    1, losses=(0.0, 0.1, 0.1), first_difference="the training loss of step 6 is 0.3, not 0.2"
)
NONE = NoiseFloor(1)
VARIES = (
    "The job is not reproducible: when the control runs again, the training loss of step 6 is 0.3, "
    "not 0.2."
)


@pytest.mark.parametrize("noise", [None, NONE])
def test_a_reproducible_job_has_no_excuse(noise: NoiseFloor | None) -> None:
    said = verdict(HIDDEN, noise=noise, noise_asked=True)
    assert (said.outcome, causes(said)) == ("diverged", ["unexplained"])


def test_an_equal_run_needs_no_noise() -> None:
    said = verdict(noise=NOISE)
    assert (said.outcome, said.diagnoses) == ("recovered", ())


def test_noise_that_was_not_asked_for_is_inconclusive() -> None:
    said = verdict(HIDDEN, noise=NOISE)
    assert (said.outcome, causes(said)) == ("inconclusive", ["noise"])
    assert said.reason == (
        "Every tensor at the boundary is equal, but the job is not reproducible, so a "
        "difference after it may be noise. Measure the noise with --repeat N."
    )
    assert said.diagnoses[0].sentence == VARIES
    assert said.comparison is not None
    assert not said.comparison.equal  # what is shown is the strict comparison


def test_batches_without_a_seed() -> None:
    said = verdict(HIDDEN, noise=replace(NOISE, batches_differ=True), noise_asked=True)
    assert (said.outcome, causes(said)) == ("inconclusive", ["noise"])
    assert said.reason is not None
    assert said.reason.startswith("The order of batches differs between two controls")


def test_within_the_noise() -> None:
    said = verdict(HIDDEN, noise=NOISE, noise_asked=True)
    assert (said.outcome, said.diagnoses, said.reason) == ("recovered", (), None)
    assert said.comparison is not None
    assert said.comparison.equal
    assert not said.comparison.exact


def test_beyond_the_noise() -> None:
    said = verdict(changed(RESUMED, losses={6: 0.75}), noise=NOISE, noise_asked=True)
    assert (said.outcome, causes(said)) == ("diverged", ["unexplained"])


@pytest.mark.parametrize("asked", [True, False])
def test_a_loss_at_the_boundary_is_not_noise(asked: bool) -> None:
    said = verdict(SLOTS_LOST, noise=NOISE, noise_asked=asked)
    assert (said.outcome, causes(said), said.reason) == ("diverged", ["slots-lost", "noise"], None)
    assert said.diagnoses[1].sentence == VARIES


def test_a_loss_at_the_boundary_is_judged_apart_from_unseeded_batches() -> None:
    other = changed(SLOTS_LOST, batches={5: "own"})
    assert causes(verdict(other)) == ["slots-lost", "batches-differ"]
    assert causes(verdict(other, noise=replace(NOISE, batches_differ=True))) == [
        "slots-lost",
        "noise",
    ]


# --- Saving that changes the run ----------------------------------------------------------------

DIFFERS = "the batch of step 4 differs"


@pytest.mark.parametrize(
    ("noise", "found"),
    [(None, []), (NONE, ["saving-changes-the-run"]), (replace(NONE, first_difference="…"), [])],
)
def test_saving_that_changes_the_run(noise: NoiseFloor | None, found: list[str]) -> None:
    said = verdict(noise=noise, changed_by_saving=DIFFERS)
    assert (said.outcome, causes(said)) == ("recovered", found)


def test_the_sentence_on_saving_that_changes_the_run() -> None:
    judged = case(noise=NONE, changed_by_saving=DIFFERS)
    assert judged.diagnoses[0].sentence == (
        f"Saving changes the training that follows: in a control that never saves, {DIFFERS}."
    )
    # Then it is a diagnosis, not an open question.
    assert judged.changed_by_saving is None
    assert case(changed_by_saving=DIFFERS).changed_by_saving == DIFFERS


def test_it_comes_after_the_diagnoses_of_the_restore() -> None:
    said = verdict(SLOTS_LOST, noise=NONE, changed_by_saving=DIFFERS)
    assert causes(said) == ["slots-lost", "saving-changes-the-run"]


# --- What is accepted, and experiments ----------------------------------------------------------

WAITING = {"initial": {"plateau.wait": 0.0}, "boundary-5": {"plateau.wait": 2.0}}
WAITED = changed(CONTROL, attributes=WAITING)
FORGOT = changed(
    resumed(WAITED),
    attributes={"boundary-5": {"plateau.wait": 0.0}},
    rates={6: 0.05, 7: 0.05},
    losses={7: 0.5},
)
UNORDERED = changed(RESUMED, batches={step: f"own-{step}" for step in AFTER})


def test_an_experiment_finds_the_cause() -> None:
    said = verdict(UNORDERED, experiments={SAME_HASH: RESUMED})
    assert (said.outcome, causes(said)) == ("diverged", ["depends-on-hash-order"])
    again = verdict(FORGOT, control=WAITED, experiments={REMEMBERED: resumed(WAITED)})
    assert (again.outcome, causes(again)) == ("diverged", ["python-state-lost"])


def test_accepted_and_settled_by_an_experiment() -> None:
    """A loss differs too early, but the experiment without the accepted cause recovers."""
    early = changed(FORGOT, losses={5: 0.5})
    assert verdict(early, "python-state-lost", control=WAITED).outcome == "diverged"
    said = verdict(
        early, "python-state-lost", control=WAITED, experiments={REMEMBERED: resumed(WAITED)}
    )
    assert (said.outcome, causes(said)) == ("recovered", [])
    assert [each.cause for each in said.accepted] == ["python-state-lost"]


def test_accepted_and_not_settled() -> None:
    early = changed(FORGOT, losses={5: 0.5})
    with_it = changed(resumed(WAITED), losses={5: 0.5})
    said = verdict(early, "python-state-lost", control=WAITED, experiments={REMEMBERED: with_it})
    assert (said.outcome, causes(said)) == ("diverged", ["unexplained"])
    assert [each.cause for each in said.accepted] == ["python-state-lost"]


def test_faults_of_the_control_are_reported_whatever_is_accepted() -> None:
    still: Values = {"mean": ZEROS}
    dead = changed(CONTROL, boundary=still, final=still)
    said = verdict(
        changed(resumed(dead), boundary={"w/momentum": ZEROS}), "slots-lost", control=dead
    )
    assert (said.outcome, causes(said)) == ("recovered", ["statistics-never-move"])


def test_a_fault_of_the_job_fails_unless_it_is_accepted() -> None:
    still: Values = {"mean": ZEROS}
    dead = changed(CONTROL, boundary=still, final=still)
    failed, passed = (
        judge_pair(QUESTION, Pair(dead, resumed(dead)), terms)
        for terms in (STRICT, Terms(allowed=parse(["statistics-never-move"])))
    )
    assert (failed.outcome, failed.as_expected, failed.acceptance) == (
        "recovered",
        False,
        ("statistics-never-move",),
    )
    assert headline(failed) == "job × all: recovered, but the job is at fault"
    assert verdict_line([failed]) == (
        "FAIL: 1 of 1 case did not do what was expected: job × all recovered, but the job is at "
        "fault."
    )
    assert (passed.outcome, passed.as_expected, passed.diagnoses) == ("recovered", True, ())
    assert passed.told_outcome == "recovered, as allowed"


def test_an_accepted_fault_of_the_job_explains_no_loss() -> None:
    still: Values = {"mean": ZEROS}
    dead = changed(CONTROL, boundary=still, final=still)
    run = changed(resumed(dead), losses={5: 0.5})
    said = verdict(run, "statistics-never-move", control=dead)
    assert (said.outcome, causes(said)) == ("diverged", ["unexplained"])


def test_noise_is_unknown_under_an_accepted_difference_too() -> None:
    noisy = replace(NONE, first_difference="the training loss of step 1 is 2.0 instead of 1.0")
    exact = verdict(changed(RESUMED, losses={6: 0.5}), noise=noisy)
    lossy = verdict(SLOTS_LOST, "slots-lost", noise=noisy)
    assert (lossy.outcome, lossy.reason) == (exact.outcome, exact.reason)
    assert exact.outcome == "inconclusive"


def test_a_run_that_recovers_by_acceptance_needs_a_second_control() -> None:
    assert needs_repeat(case(SLOTS_LOST, "slots-lost"))
    assert not needs_repeat(case(SLOTS_LOST, "slots-lost", noise=NONE))


def test_an_accepted_cause_that_does_not_occur_is_not_needed() -> None:
    said = verdict(SLOTS_LOST, "slots-lost", "rounding", "v/*")
    assert (said.outcome, said.not_needed) == ("recovered", ("rounding", "v/*"))


def test_an_accepted_difference_is_not_an_exact_recovery() -> None:
    judged = case(SLOTS_LOST, "slots-lost")
    assert (judged.outcome, judged.told_outcome) == ("recovered", "recovered, as allowed")


END: Values = {"new": Tensor(Kind.SLOT, ZEROS)}
LATE_CONTROL = changed(
    CONTROL, boundary=END, after={"new": Tensor(Kind.SLOT, value("new", 6))}, final=END
)
LATE = changed(
    RESUMED, after={"new": Tensor(Kind.SLOT, value("new", 7))}, final=END, batches={5: "own"}
)


def test_a_generator_that_no_step_draws_from_before_a_run_is_cut() -> None:
    def with_generator(run: Run, state: int) -> Run:
        held: Values = {"random/torch": Tensor(Kind.RNG, np.full(9, state))}
        return changed(run, initial=held, boundary=held, final=held, is_cut=True)

    ours, theirs = with_generator(CONTROL, 1), with_generator(RESUMED, 2)
    said = verdict(theirs, control=ours)
    assert (said.outcome, said.reason) == (
        "inconclusive",
        "random/torch differs from the control's, and no step before the end that --max-steps sets "
        "draws from it. A later epoch may, for its data order: let --max-steps end the runs more "
        "than one epoch after the save. If nothing draws from it, accept that: --allow random/torch.",
    )
    accepted = verdict(theirs, "random/torch", control=ours)
    assert (accepted.outcome, accepted.reason) == ("recovered", None)
    assert [each.cause for each in accepted.accepted] == ["random/torch"]
    # What was lost is no longer unknown.
    lost = changed(theirs, boundary={"w/momentum": np.zeros_like(value("w", 5))})
    assert verdict(lost, control=ours).outcome == "diverged"


def test_late_tensors_that_cannot_be_judged() -> None:
    said = verdict(
        changed(LATE, asked=None, held=None, values=None), "batches-differ", control=LATE_CONTROL
    )
    assert (said.outcome, [each.cause for each in said.accepted]) == (
        "inconclusive",
        ["batches-differ"],
    )
    assert said.reason is not None
    assert said.reason.startswith(
        "new is created in the first resumed step, which an accepted difference already affected"
    )
    assert said.comparison is not None
    # Known keys are judged; without accepted differences the case diverges in any case.
    known = changed(LATE, asked={"new": "new"}, held=["new"])
    assert verdict(known, "batches-differ", control=LATE_CONTROL).outcome == "recovered"
    assert (
        verdict(changed(LATE, asked=None, held=None, values=None), control=LATE_CONTROL).outcome
        == "diverged"
    )


# --- The case -----------------------------------------------------------------------------------


def test_a_case_has_its_evidence() -> None:
    judged = judge_pair(
        Question("job", "all", "diverged", 5),
        Pair(CONTROL, SLOTS_LOST, noise=NONE, noise_trouble="…"),
    )
    assert (judged.name, judged.expected, judged.outcome, judged.as_expected) == (
        "job × all @ 5",
        "diverged",
        "diverged",
        True,
    )
    assert judged.control is CONTROL
    assert judged.resumed is SLOTS_LOST
    assert judged.noise is NONE
    assert judged.reason == "…"  # what kept the noise from being measured
    assert judged.digests == {
        "boundary": {
            "control": snapshot_digest(CONTROL.boundary),
            "resumed": snapshot_digest(SLOTS_LOST.boundary),
        },
        "final": {
            "control": snapshot_digest(CONTROL.final),
            "resumed": snapshot_digest(SLOTS_LOST.final),
        },
    }
    assert judged.digests["final"]["control"] == judged.digests["final"]["resumed"]


def test_a_case_without_a_comparison_ignores_further_runs() -> None:
    judged = case(cut(RESUMED, 2), noise=NOISE, noise_trouble="…", changed_by_saving=DIFFERS)
    assert judged.reason == (
        "Only 2 of the control's 3 steps after the boundary were "
        "compared: the resumed run ended early."
    )
    assert (judged.comparison, judged.noise, judged.digests, judged.changed_by_saving) == (
        None,
        None,
        {},
        None,
    )


def test_a_case_has_its_tolerance() -> None:
    assert judge_pair(
        QUESTION, Pair(CONTROL, RESUMED), Terms(Tolerance(rtol=0.5))
    ).tolerance == Tolerance(rtol=0.5)
    assert judge_pair(QUESTION, Pair(CONTROL, RESUMED), STRICT).tolerance == Tolerance()


def test_remedies_are_those_of_the_framework() -> None:
    lost = changed(SLOTS_LOST, held=["w"])
    general = case(lost).diagnoses[0]
    keras = judge_pair(QUESTION, Pair(changed(CONTROL, framework="keras"), lost)).diagnoses[0]
    assert general.remedy == (
        "Save the lost tensors in the checkpoint, np.savez(path, **tensors), and restore them from "
        "it: tensors.update(np.load(path))."
    )
    assert keras.remedy.startswith(
        "The checkpoint holds none of the lost variables. Save the whole model once it is compiled"
    )
    assert (keras.cause, keras.stage, keras.sentence) == (
        general.cause,
        general.stage,
        general.sentence,
    )


def test_tensors_that_the_restore_does_not_cover() -> None:
    several = control(
        {
            "rate": Kind.HYPERPARAMETER,
            "accuracy": Kind.METRIC,
            "wait": Kind.PYTHON,
            "idle": Kind.RNG,
        }
    )
    several = changed(
        several, boundary={"idle": several.initial["idle"]}, final={"idle": several.initial["idle"]}
    )
    lost = dict.fromkeys(("w/momentum", "mean"), ZEROS) | {"rng": fresh("rng")}
    run = changed(resumed(several), asked={"w": "w", "step": "step"}, boundary=lost)
    # What the program sets or remembers does not count, nor does an idle generator.
    assert judge_pair(QUESTION, Pair(several, run)).not_covered == (
        "w/momentum",
        "mean",
        "rng",
    )
    # The moving average is equal, which it was not before the restore: it came back.
    assert judge_pair(QUESTION, Pair(several, changed(run, asked=None))).not_covered == ()


def test_a_renamed_tensor_is_covered() -> None:
    judged = case(renamed(RESUMED, {"w": "v"}))
    assert (judged.outcome, judged.not_covered) == ("recovered", ())


def test_a_restore_may_use_the_name_of_the_control() -> None:
    asked = dict(RESUMED.facts.asked or {})
    judged = case(changed(renamed(RESUMED, {"w": "v"}), asked=asked))
    assert (judged.outcome, judged.not_covered) == ("recovered", ())


def test_a_refused_restore_covers_nothing() -> None:
    judged = case(changed(RESUMED, failure=Failure("restore", "ValueError", "…"), asked={}))
    assert (judged.outcome, judged.not_covered) == ("refused", ())
    lost = changed(SLOTS_LOST, asked={})
    assert case(lost).not_covered == ("w/momentum",)


# --- What to accept -----------------------------------------------------------------------------


def test_what_to_accept_is_everything_with_which_the_case_recovers() -> None:
    assert case(SLOTS_LOST).acceptance == ("slots-lost",)
    assert case(SLOTS_LOST, "slots-lost").acceptance == ()  # it recovers
    assert case(HIDDEN).acceptance == ()  # unexplained
    two = changed(SLOTS_LOST, boundary={"mean": ZEROS})
    assert case(two).acceptance == ("moving-statistics-lost", "slots-lost")
    for given in ("slots-lost", "w/momentum"):
        assert set(case(two, given).acceptance) == {given, "moving-statistics-lost"}
    assert case(two, question=replace(QUESTION, expected="diverged")).acceptance == ()
    assert case(two).document()["acceptance"] == ["moving-statistics-lost", "slots-lost"]


def test_nothing_to_accept_if_the_case_fails_all_the_same() -> None:
    early = changed(SLOTS_LOST, losses={5: 0.5})  # slots cannot change the first loss
    assert "slots-lost" in causes(case(early))
    assert case(early).acceptance == ()
    refused = changed(RESUMED, failure=Failure("restore", "ValueError", "…"))
    assert case(refused).acceptance == ()


def test_what_shows_only_once_something_is_accepted_is_to_be_accepted_too() -> None:
    run = changed(
        RESUMED,
        boundary={"step": np.array(0)},
        hyperparameters={key: {"decay": 0.5} for key in AFTER},
        losses={6: 0.5},
    )
    assert causes(case(run)) == ["step-lost"]
    assert causes(case(run, "step-lost")) == ["hyperparameters-differ"]
    both = ("step-lost", "hyperparameters-differ")
    assert case(run).acceptance == case(run, "step-lost").acceptance == both
    accepted = case(run, *both)
    assert accepted.outcome == "recovered"
    assert [each.cause for each in accepted.allowed] == list(both)


def test_noise_that_was_measured_on_demand_is_not_to_be_measured_again() -> None:
    noise = NoiseFloor(1, first_difference="the training loss of step 6 is 0.3 instead of 0.2")
    for asked in (True, False):
        judged = case(SLOTS_LOST, noise=noise, noise_asked=asked)
        (remedy,) = [each.remedy for each in judged.diagnoses if each.cause == "noise"]
        assert ("--repeat" in remedy) is not asked


# --- What else could be run ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "pair", "needed"),
    [
        (RESUMED, {}, False),
        (HIDDEN, {}, True),
        (HIDDEN, {"noise": NOISE}, False),
        (SLOTS_LOST, {}, False),  # what was lost at the boundary is no noise
        (RESUMED, {"changed_by_saving": DIFFERS}, True),
        (RESUMED, {"changed_by_saving": DIFFERS, "noise": NONE}, False),
        (cut(RESUMED, 2), {}, False),
        (changed(RESUMED, failure=Failure("train", "ValueError", "…")), {}, False),
    ],
)
def test_whether_a_second_control_can_explain_more(
    run: Run, pair: dict[str, Any], needed: bool
) -> None:
    assert needs_repeat(case(run, **pair)) is needed


def test_experiments_for_a_case() -> None:
    assert experiments_for(case(UNORDERED)) == {SAME_HASH: {}}
    forgot = judge_pair(QUESTION, Pair(WAITED, FORGOT))
    assert experiments_for(forgot) == {REMEMBERED: {"plateau.wait": 2.0}}
    assert experiments_for(case(SLOTS_LOST)) == {}
    # An expected divergence needs no explanation, and a recovery has none.
    assert experiments_for(case(UNORDERED, question=Question("job", "all", "diverged"))) == {}
    assert experiments_for(case(UNORDERED, "batches-differ")) == {}
    assert (
        experiments_for(case(changed(RESUMED, failure=Failure("train", "ValueError", "…")))) == {}
    )


@pytest.mark.parametrize(
    ("run", "clear"),
    [
        (RESUMED, True),
        (SLOTS_LOST, True),
        (HIDDEN, False),
        (UNORDERED, False),
        (cut(RESUMED, 1), True),
    ],
)
def test_whether_a_case_is_clear(run: Run, clear: bool) -> None:
    assert is_clear(case(run)) is clear


def test_a_case_with_experiments_needed_alone_is_not_clear() -> None:
    boundary: Values = {"w": fresh("w"), "more": Tensor(Kind.OTHER, ZEROS)}
    judged = case(changed(RESUMED, boundary=boundary, final={"more": Tensor(Kind.OTHER, ZEROS)}))
    assert (causes(judged), needs_repeat(judged), is_clear(judged)) == (
        ["tensors-missing", "weights-lost"],
        False,
        False,
    )


# --- The report ---------------------------------------------------------------------------------


def test_the_environment_that_controls_share() -> None:
    other = changed(CONTROL, environment={"python": "3.12.1", "numpy": "2.0", "cores": "2"})
    again = changed(CONTROL, environment={"python": "3.12.1", "numpy": "2.1", "cores": "2"})
    cases = [
        judge_pair(QUESTION, Pair(each, changed(RESUMED, environment=each.facts.environment)))
        for each in (other, again)
    ]
    assert list(report(cases).environment.items()) == [("cores", "2"), ("python", "3.12.1")]
    assert report(cases).cases == tuple(cases)
    assert report(cases[:1]).environment == {"cores": "2", "numpy": "2.0", "python": "3.12.1"}


def test_without_a_control_the_environment_is_of_this_process() -> None:
    assert "python" in report([]).environment
    assert "python" in report([Case("job", "all", "recovered", "inconclusive")]).environment


def test_a_diagnosis_of_a_pattern_is_of_the_restore() -> None:
    said = verdict(changed(SLOTS_LOST, final={"w": value("w", STEPS) + np.float32(1)}), "w/mom*")
    assert said.accepted == (
        Diagnosis(
            "w/mom*",
            None,
            "1 tensor matching this pattern differs at the boundary.",
            "",
            ("w/momentum",),
        ),
    )
    assert said.outcome == "recovered"


def test_a_command_that_restores_nothing_may_lack_an_argument() -> None:
    began: Values = {name: tensor.value for name, tensor in RESUMED.initial.items()}
    anew = changed(RESUMED, boundary=began, final=began)
    lacks = "to resume, pass it with --resume."
    for run, may_lack in ((of_command(anew), True), (anew, False)):
        (found,) = case(run).diagnoses[:1]
        assert found.cause == "nothing-restored"
        assert found.remedy.endswith(lacks) == may_lack
