"""Warnings: the whole text of each."""

from dataclasses import replace

import pytest

from ckptcheck.comparison.noise_floor import NoiseFloor
from ckptcheck.diagnosis.allowances import Terms, parse
from ckptcheck.kinds import Kind
from ckptcheck.report.answer import answer
from ckptcheck.report.case import Case
from ckptcheck.report.evidence import Pair
from ckptcheck.report.judge import Question, judge_pair, needs_repeat
from ckptcheck.report.warnings import of_cases
from ckptcheck.run.run import RECORDED, Failure, Run
from tests.builder import Values, changed, control, cut, renamed, resumed, value

CONTROL = control()
RESUMED = resumed(CONTROL)
SCRIPT = changed(CONTROL, role=RECORDED)


def case(
    control: Run = CONTROL,
    run: Run = RESUMED,
    *allowed: str,
    noise: NoiseFloor | None = None,
    **pair: str,
) -> Case:
    differs = pair.get("differs")
    return judge_pair(
        Question("job", "all", "recovered"),
        Pair(control, run, noise=noise, changed_by_saving=differs),
        Terms(allowed=parse(allowed)),
    )


def warned(*cases: Case) -> list[str]:
    return [text.removeprefix("job × all: ") for text in of_cases(cases)]


def test_a_clean_case_has_none() -> None:
    assert of_cases([case()]) == []
    assert of_cases([]) == []


def test_no_evaluation() -> None:
    silent = changed(RESUMED, role=RECORDED, hash_seed="2", evaluations=dict.fromkeys((5, 6, 8)))
    assert of_cases([case(SCRIPT, silent)]) == [
        (
            "job × all: no evaluation loss was recorded in both runs, so state that only "
            "evaluation reads is compared as tensors alone. Record an evaluation at the "
            "boundary."
        )
    ]


LAST_BITS = changed(RESUMED, evaluations={5: 0.2 * (1 + 2**-22)})


def test_a_rounded_evaluation_recovers_with_a_warning() -> None:
    """Keras evaluates in more than one thread: two processes may round a loss differently."""
    judged = case(run=LAST_BITS)
    assert (judged.outcome, judged.diagnoses) == ("recovered", ())
    assert not needs_repeat(judged)
    assert warned(judged) == [
        "the evaluation loss after 5 steps is 0.20000004768371582 instead of the control's 0.2. "
        "Every tensor and training loss is bit-equal, so this counts as rounding: processes may "
        "sum an evaluation in different orders."
    ]
    assert answer([judged]) == "job recovers with `all`, but not bit for bit."


def test_an_evaluation_that_differs_by_more_than_rounding_fails() -> None:
    """State that only the evaluation reads may be lost."""
    judged = case(run=changed(RESUMED, evaluations={5: 0.2 + 1e-6}))
    assert (judged.outcome, [each.cause for each in judged.diagnoses]) == (
        "diverged",
        ["unexplained"],
    )
    assert warned(judged) == []


def test_noise_and_tolerance_are_said_elsewhere() -> None:
    noise = NoiseFloor(1, first_difference="…", evaluation_varies=True, evaluations={5: 0.5})
    assert warned(case(run=LAST_BITS, noise=noise)) == []


@pytest.mark.parametrize("seed", ["0", "1"])
def test_a_script_with_one_hash_seed(seed: str) -> None:
    assert warned(
        case(changed(SCRIPT, hash_seed=seed), changed(RESUMED, role=RECORDED, hash_seed=seed))
    ) == [
        (
            f"both runs had PYTHONHASHSEED={seed}, so a dependence on the order of sets would "
            "not show. Set a different value for the resumed run."
        )
    ]


def test_scripts_with_random_or_other_hash_seeds() -> None:
    random = changed(SCRIPT, hash_seed="random"), changed(RESUMED, hash_seed="random")
    assert warned(case(*random), case(SCRIPT, RESUMED)) == []


def test_other_names() -> None:
    assert warned(
        case(run=changed(renamed(RESUMED, {"w": "v", "mean": "layer/mean"}), asked=None))
    ) == [
        (
            "2 tensors have different names in the resumed run (v for w) and are matched by "
            "kind, shape and value."
        )
    ]


def test_runs_that_were_cut() -> None:
    assert warned(case(changed(CONTROL, is_cut=True))) == [
        "--max-steps ended both runs after step 8: what the command does after it, and when it ends by itself, is not verified."
    ]


def test_saves_that_a_command_did_not_make() -> None:
    assert warned(case(changed(CONTROL, saves_missing=1))) == [
        "1 of the saves that --save asked for was not made before the last training step, and is not judged."
    ]


def test_saving_with_an_unknown_effect() -> None:
    noise = NoiseFloor(1, first_difference="…")
    differs = "the batch of step 4 differs"
    assert warned(case(noise=noise, differs=differs)) == [
        (
            "whether saving changes the run is unknown: the job is not reproducible. In a "
            f"control that never saves, {differs}."
        )
    ]
    assert warned(case(noise=NoiseFloor(1), differs=differs)) == []  # that is a diagnosis
    assert warned(case(differs=differs)) == []  # unknown so far


def test_an_evaluation_that_changes_state() -> None:
    assert warned(case(changed(CONTROL, changed_by_evaluation=["mean", "rng"]))) == [
        (
            "the evaluation changes mean, rng: training after the boundary may differ from a "
            "run that does not evaluate there."
        )
    ]


def test_tensors_at_their_initial_values() -> None:
    as_begun: Values = {"w": value("w", 5), "mean": value("mean", 5)}
    run = changed(RESUMED, initial=as_begun, asked=None)
    assert warned(case(run=run)) == [
        (
            "2 of 6 tensors have their initial values at the boundary, so the run cannot show "
            "whether they are restored: w, mean. Choose a different --boundary."
        )
    ]
    # A requested tensor counts as restored; a case that diverged has no such warning.
    assert warned(case(run=changed(run, asked=RESUMED.facts.asked))) == []
    assert warned(case(run=changed(run, losses={6: 0.5}))) == []


def test_tensors_that_prove_nothing() -> None:
    several = control(
        {"rate": Kind.HYPERPARAMETER, "accuracy": Kind.METRIC, "idle": Kind.RNG, "drawn": Kind.RNG}
    )
    idle: Values = {"idle": several.initial["idle"]}
    several = changed(several, boundary=idle, final=idle)
    begun = {name: several.boundary[name] for name in ("rate", "accuracy", "idle", "drawn")}
    run = changed(resumed(several), initial=begun, asked=None)
    assert warned(case(several, run)) == [
        (
            "1 of 10 tensors has its initial value at the boundary, so the run cannot show "
            "whether it is restored: drawn. Choose a different --boundary."
        )
    ]


def test_metrics_that_differ() -> None:
    measured = control({"accuracy": Kind.METRIC})
    run = changed(resumed(measured), boundary={"accuracy": measured.initial["accuracy"]})
    assert warned(case(measured, run)) == [
        "1 metric tensor differs at the boundary: accuracy. Training does not read it, but the "
        "epoch in progress reports different values."
    ]


def test_tensors_that_the_restore_does_not_cover() -> None:
    covers = changed(RESUMED, asked={"w": "w"}, boundary=dict.fromkeys(("w/momentum", "mean"), 0))
    assert warned(case(run=covers)) == [
        "the restore does not cover 2 of 6 tensors, which keep their initial values: w/momentum, "
        "mean."
    ]
    # All tensors came back: a restore may fill more than it asks for.
    assert warned(case(run=changed(RESUMED, asked={"w": "w"}))) == []
    refused = changed(covers, failure=Failure("restore", "ValueError", "…"))
    assert warned(case(run=refused)) == []


def test_accepted_differences_that_were_not_found() -> None:
    assert of_cases([case(CONTROL, RESUMED, "rounding", "v/*")]) == [
        "--allow rounding accepted nothing: no such difference was found.",
        "--allow v/* accepted nothing: no such difference was found.",
    ]
    # It was found in one of the cases, or one was not compared.
    lost = changed(RESUMED, boundary={"w/momentum": CONTROL.initial["w/momentum"]})
    both = [case(CONTROL, lost, "slots-lost", "v/*"), case(CONTROL, RESUMED, "slots-lost", "v/*")]
    assert of_cases(both) == ["--allow v/* accepted nothing: no such difference was found."]
    uncompared = case(CONTROL, cut(RESUMED, 2), "slots-lost")
    assert of_cases([uncompared]) == []


def test_a_warning_for_every_boundary_appears_once() -> None:
    covers = case(run=changed(RESUMED, asked={"w": "w"}, boundary={"mean": 0}))
    other = replace(covers, boundary=3)
    assert len(of_cases([covers, other, replace(covers, restore="ema")])) == 2


def test_a_case_without_runs_has_none() -> None:
    assert of_cases([Case("job", "all", "recovered", "inconclusive")]) == []


def test_files_that_the_job_writes_elsewhere() -> None:
    whole = replace(
        case(changed(CONTROL, framework="keras")),
        wrote={"a": "changed", "b": "new", "c": "deleted", "d": "new"},
    )
    assert of_cases([whole, replace(whole, restore="other", wrote={"a": "new"})]) == [
        "job: the job also writes outside its checkpoint folder: a (changed), b (new), c (deleted), "
        "d (new). Every run does, and ckptcheck puts no file back. Write such files into "
        "`self.folder`."
    ]
    plain = replace(case(), wrote={"a": "new"})
    assert of_cases([plain])[0].endswith("Write such files into a temporary folder.")


def test_a_command_is_advised_in_its_own_words() -> None:
    run = [changed(each, unseen=[], framework="keras") for each in (CONTROL, RESUMED)]
    whole = judge_pair(Question("train.py", "restart", "recovered"), Pair(run[0], run[1]))
    assert of_cases([replace(whole, wrote={"a.csv": "new"})]) == [
        "train.py: the command also writes outside its checkpoint folder: a.csv (new). Every run "
        "does, and ckptcheck puts no file back. Write such files into {run}."
    ]
