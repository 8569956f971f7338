"""Accepted differences are shown, and hide nothing else."""

import math
from functools import cache

import numpy as np
import pytest

from ckptcheck import Case, Report, UsageError, verify
from ckptcheck.comparison.compare import compare
from ckptcheck.comparison.comparison import Comparison
from ckptcheck.comparison.equality import Equality
from ckptcheck.diagnosis.allowances import (
    Allowed,
    Terms,
    beyond,
    by_pattern,
    parse,
    start_of,
)
from ckptcheck.diagnosis.catalogue import CAUSES
from ckptcheck.diagnosis.cause import (
    AT_ONCE,
    EVALUATION,
    FIRST_STEP,
    FIRST_UPDATE,
    NEVER,
    Diagnosis,
    Start,
)
from ckptcheck.diagnosis.diagnose import diagnose, unjudged
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from ckptcheck.report.evidence import Pair
from ckptcheck.report.judge import Verdict, verdict_on
from ckptcheck.report.sentences import story
from ckptcheck.run.run import Run
from tests.builder import BOUNDARY, STEPS, Values, changed, control, fresh, resumed, value
from tests.conftest import toy

CONTROL = control(
    {
        "accuracy": Kind.METRIC,
        "sum": Kind.ACCUMULATOR,
        "scale": Kind.LOSS_SCALE,
        "rate": Kind.HYPERPARAMETER,
    }
)
RESUMED = resumed(CONTROL)
ZEROS = np.zeros((2, 3), np.float32)


def compared(run: Run, *patterns: str) -> Comparison:
    return compare(CONTROL, run, Equality(left_out=patterns))


def verdict(run: Run, *texts: str) -> Verdict:
    return verdict_on(Pair(CONTROL, run), Terms(allowed=parse(texts)))


def summary(verdict: Verdict) -> tuple[str, list[str], list[str], tuple[str, ...]]:
    """Return the outcome, the causes found and accepted, and what was accepted in vain."""
    found, accepted = (
        [each.cause for each in named] for named in (verdict.diagnoses, verdict.accepted)
    )
    return verdict.outcome, found, accepted, verdict.not_needed


# --- Parsing ----------------------------------------------------------------------------------


def test_causes_and_patterns_are_distinguished() -> None:
    assert parse(
        ["slots-lost", "dense/*", "rounding", "slots-lost", "w?", "[ab]", "w/momentum"]
    ) == Allowed(("slots-lost", "rounding"), ("dense/*", "w?", "[ab]", "w/momentum"))
    assert parse("slots-lost") == Allowed(("slots-lost",))
    assert parse([]) == Allowed()


@pytest.mark.parametrize(
    "cause",
    [name for name, cause in CAUSES.items() if not (cause.acceptable or cause.about_the_control)],
)
def test_a_cause_that_cannot_be_accepted(cause: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse([cause])
    assert (
        str(raised.value)
        == f"The cause {cause!r} cannot be accepted: the rest of the run would no longer be "
        f"comparable. `ckptcheck explain {cause}` says how to fix it."
    )


def test_a_text_that_is_neither_cause_nor_pattern() -> None:
    with pytest.raises(UsageError) as raised:
        parse(["roundin"])
    text = str(raised.value)
    assert text.startswith("There is no cause to accept called 'roundin'. Did you mean rounding? ")
    assert text.endswith("To accept tensors, give a pattern of their names, such as '*roundin'.")


def test_noise_cannot_be_accepted() -> None:
    with pytest.raises(UsageError) as raised:
        parse(["noise"])
    assert str(raised.value) == (
        "The cause 'noise' cannot be accepted: nothing can be concluded about a job that is not "
        "reproducible. `ckptcheck explain noise` says how to fix it."
    )


@pytest.mark.parametrize(
    "cause", ["saving-changes-the-run", "statistics-never-move", "shadows-never-move"]
)
def test_a_fault_of_the_job_can_be_accepted(cause: str) -> None:
    assert parse([cause]) == Allowed((cause,))


# --- Causes -----------------------------------------------------------------------------------


def test_an_accepted_cause_covers_what_follows_from_it() -> None:
    run = changed(
        RESUMED,
        boundary={"w/momentum": ZEROS},
        losses={6: 0.5, 7: 0.5},
        evaluations={6: 0.5},
        final={"w": ZEROS},
    )
    assert summary(verdict(run)) == ("diverged", ["slots-lost"], [], ())
    assert summary(verdict(run, "slots-lost")) == ("recovered", [], ["slots-lost"], ())
    assert summary(verdict(run, "slots-lost", "rounding", "v/*")) == (
        "recovered",
        [],
        ["slots-lost"],
        ("rounding", "v/*"),
    )


def test_a_different_cause_is_still_found() -> None:
    run = changed(RESUMED, boundary={"w/momentum": ZEROS, "w": fresh("w")})
    assert summary(verdict(run, "slots-lost")) == ("diverged", ["weights-lost"], ["slots-lost"], ())
    assert summary(verdict(run, "slots-lost", "weights-lost")) == (
        "recovered",
        [],
        ["weights-lost", "slots-lost"],
        (),
    )


@pytest.mark.parametrize(
    ("losses", "evaluations", "sentence"),
    [
        (
            {5: 0.5},
            {},
            "training loss of step 5 is 0.5 instead of the control's 0.3333333333333333.",
        ),
        ({}, {BOUNDARY: 0.5}, "evaluation loss after 5 steps is 0.5 instead of the control's 0.2."),
    ],
)
def test_it_hides_nothing_earlier_than_it_can_act(
    losses: dict[int, float], evaluations: dict[int, float], sentence: str
) -> None:
    run = changed(RESUMED, boundary={"w/momentum": ZEROS}, losses=losses, evaluations=evaluations)
    found = verdict(run, "slots-lost")
    assert summary(found) == ("diverged", ["unexplained"], ["slots-lost"], ())
    assert (
        found.diagnoses[0].sentence == f"Accepted differences cannot explain this: the {sentence}"
    )


def test_consequences_of_an_accepted_cause_are_diagnosed_again() -> None:
    """A rate counts as a consequence of lost Python state, unless that is accepted."""
    ours = control({"patience": Kind.PYTHON})
    run = changed(resumed(ours), boundary={"patience": 0.0}, rates={5: 0.05})
    comparison = compare(ours, run)
    accepted = diagnose(comparison)
    assert [each.cause for each in accepted] == ["python-state-lost"]
    assert [each.cause for each in beyond(comparison, accepted)] == ["learning-rate-differs"]


def rounded(
    loss: float, cause: str = "rounding"
) -> tuple[str, list[str], list[str], tuple[str, ...]]:
    """Return the verdict on rounded weights and a first loss off by a factor."""
    w = CONTROL.boundary["w"].value
    other = (
        np.nextafter(w, np.float32(9))
        if cause == "rounding"
        else w.astype(np.float16).astype(np.float32)
    )
    run = changed(RESUMED, boundary={"w": other}, losses={5: loss * CONTROL.losses[5]})
    return summary(verdict(run, cause))


@pytest.mark.parametrize(
    ("loss", "cause", "is_covered"),
    [
        (1.0009, "rounding", True),
        (1.0011, "rounding", False),
        (0.9989, "rounding", False),
        (1.09, "precision-lost", True),
        (1.11, "precision-lost", False),
        (math.inf, "precision-lost", False),
    ],
)
def test_rounding_moves_a_loss_so_far_and_no_farther(
    loss: float, cause: str, is_covered: bool
) -> None:
    found = [] if is_covered else ["unexplained"]
    assert rounded(loss, cause) == ("recovered" if is_covered else "diverged", found, [cause], ())


def test_later_losses_have_seen_an_update() -> None:
    run = changed(
        RESUMED,
        boundary={"w": np.nextafter(CONTROL.boundary["w"].value, np.float32(9))},
        losses={6: 0.5},
    )
    assert summary(verdict(run, "rounding")) == ("recovered", [], ["rounding"], ())


# --- Patterns ---------------------------------------------------------------------------------


def test_tensors_that_may_differ_by_their_names() -> None:
    run = changed(
        RESUMED,
        boundary={"w/momentum": ZEROS, "sum": ZEROS + 9},
        losses={6: 0.5},
        final={"w": ZEROS},
    )
    found = verdict(run, "w/mom*", "sum*", "v/*")
    assert summary(found) == ("recovered", [], ["w/mom*", "sum*"], ("v/*",))
    assert [each.sentence for each in found.accepted] == [
        "1 tensor matching this pattern differs at the boundary."
    ] * 2
    assert [each.tensors for each in found.accepted] == [("w/momentum",), ("sum",)]
    (both,) = by_pattern(compared(run, "*m*"))
    assert (both.sentence, both.tensors) == (
        "2 tensors matching this pattern differ at the boundary.",
        ("w/momentum", "sum"),
    )
    assert (both.stage, both.remedy) == (None, "")


STARTS = {
    "w": AT_ONCE,
    "mean": AT_ONCE,
    "rng": FIRST_STEP,
    "rate": FIRST_STEP,
    "step": FIRST_STEP,
    "w/momentum": FIRST_UPDATE,
    "sum": FIRST_UPDATE,
    "scale": FIRST_UPDATE,
    "w/average": EVALUATION,
    "accuracy": NEVER,
}


@pytest.mark.parametrize(("name", "start"), STARTS.items())
def test_the_kind_of_a_tensor_decides_where_it_acts(name: str, start: Start) -> None:
    accepted = by_pattern(
        compared(changed(RESUMED, boundary={name: CONTROL.boundary[name].value + 1}), f"{name}*")
    )
    assert start_of(accepted, compared(RESUMED)) == start


def test_the_first_of_several_decides() -> None:
    slots = Diagnosis("slots-lost", None, "", "")
    assert start_of([slots], compared(RESUMED)) == FIRST_UPDATE
    assert (
        start_of([slots, Diagnosis("accuracy*", None, "", "", ("accuracy",))], compared(RESUMED))
        == FIRST_UPDATE
    )
    assert start_of(
        [slots, Diagnosis("w/average*", None, "", "", ("w/average",))], compared(RESUMED)
    ) == Start(1, 0)
    assert start_of([], compared(RESUMED)) == NEVER


@pytest.mark.parametrize(
    ("changes", "covered"),
    [
        ({}, True),
        ({"losses": {7: 0.5}}, False),
        ({"evaluations": {STEPS: 0.5}}, False),
        ({"final": {"w": ZEROS}}, False),
    ],
)
def test_an_accepted_metric_explains_nothing(changes: dict[str, Values], covered: bool) -> None:
    """An accepted metric explains no different loss and no different tensor: nothing reads it."""
    ours = changed(CONTROL, final={"accuracy": 0.75})
    run = changed(resumed(ours), boundary={"accuracy": 0.25}, **changes)  # type: ignore[arg-type]
    found = verdict_on(Pair(ours, run), Terms(allowed=parse(["accuracy*"])))
    assert (found.outcome, [each.cause for each in found.accepted]) == (
        "recovered" if covered else "diverged",
        ["accuracy*"],
    )
    assert [each.cause for each in found.diagnoses] == ([] if covered else ["unexplained"])


def test_a_pattern_hides_nothing_earlier_than_its_tensors_can_act() -> None:
    run = changed(RESUMED, boundary={"w/momentum": ZEROS}, losses={5: 0.5})
    assert summary(verdict(run, "w/mom*")) == ("diverged", ["unexplained"], ["w/mom*"], ())


def test_an_accepted_difference_beside_one_that_is_not() -> None:
    run = changed(RESUMED, boundary={"w/momentum": ZEROS, "mean": ZEROS})
    assert summary(verdict(run, "w/mom*")) == (
        "diverged",
        ["moving-statistics-lost"],
        ["w/mom*"],
        (),
    )


def test_what_was_accepted_in_vain() -> None:
    assert summary(verdict(RESUMED, "rounding", "w/*")) == (
        "recovered",
        [],
        [],
        ("rounding", "w/*"),
    )


# --- Tensors created in the first step --------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "asked", "names"),
    [
        (Kind.SLOT, None, ["new"]),
        (Kind.SLOT, {"new": "new"}, []),
        (Kind.SLOT, {}, []),
        (Kind.METRIC, None, []),  # nothing in training reads it
    ],
)
def test_a_tensor_created_in_an_accepted_step_stays_unjudged(
    kind: Kind, asked: dict[str, str] | None, names: list[str]
) -> None:
    ours = changed(
        CONTROL,
        boundary={"new": Tensor(kind, ZEROS)},
        after={"new": Tensor(kind, value("new", 6))},
    )
    after: Values = {"new": Tensor(kind, value("new", 9))}
    run = changed(RESUMED, after=after, batches={5: "another"}, asked=asked)
    assert unjudged(compare(ours, run)) == names
    same_step = changed(RESUMED, after=after, asked=asked)
    assert unjudged(compare(ours, same_step)) == []


# --- In processes -----------------------------------------------------------------------------


@cache
def allowed(job: str, *texts: str) -> Report:
    return verify(toy(job), steps=21, boundary=9, allow=texts)


def causes(case: Case) -> list[str]:
    return [each.cause for each in case.diagnoses]


def test_an_accepted_cause_is_shown() -> None:
    report = allowed("OtherRate", "learning-rate-differs")
    (case,) = report.cases
    assert (case.outcome, causes(case), [each.cause for each in case.allowed]) == (
        "recovered",
        [],
        ["learning-rate-differs"],
    )
    assert (
        "Accepted: learning-rate-differs: The learning rate is 0.01 instead of the control's 0.001, first at step 19."
        in story(case)
    )
    assert report.document()["cases"][0]["allowed"][0]["cause"] == "learning-rate-differs"
    assert report.warnings() == []


def test_no_output_shows_an_accepted_difference_as_exact() -> None:
    # Imported here: they load bokeh and matplotlib, which no other test of this file needs.
    from ckptcheck import plot
    from ckptcheck.report.html import report_page
    from ckptcheck.report.outputs import markdown

    report = allowed("OtherRate", "learning-rate-differs")
    assert story(report.cases[0]).splitlines()[0].endswith("OtherRate × all: recovered, as allowed")
    assert "| all | recovered, as allowed | 6/6 |" in markdown.of_report(report)
    assert "OtherRate × all: recovered, as allowed <" in report_page(report)
    legend = plot(report).axes[0].get_legend()
    assert legend is not None
    assert "all: recovered, as allowed" in [each.get_text() for each in legend.get_texts()]


def test_tensors_by_their_names() -> None:
    (case,) = allowed("SlotsLost", "w/mom*").cases
    assert (case.outcome, [each.tensors for each in case.allowed]) == (
        "recovered",
        [("w/momentum",)],
    )


def test_a_cause_that_is_not_accepted_is_found() -> None:
    (case,) = allowed("ShadowInWeight", "shadows-lost").cases
    assert (case.outcome, causes(case), [each.cause for each in case.allowed]) == (
        "diverged",
        ["shadows-in-weights"],
        ["shadows-lost"],
    )


def test_a_difference_earlier_than_the_accepted_cause_is_unexplained() -> None:
    """Lost slots do not explain a different evaluation at the boundary: it precedes any update."""
    (case,) = allowed("LosesSlotsAndHidesInEvaluation", "slots-lost").cases
    assert (case.outcome, causes(case)) == ("diverged", ["unexplained"])
    assert case.diagnoses[0].sentence.startswith(
        "Accepted differences cannot explain this: the evaluation loss after 9 steps is "
    )
    # The kind of a tensor decides what it can change.
    (case,) = allowed("LosesSlotsAndHidesInEvaluation", "w/momentum*").cases
    assert (case.outcome, causes(case)) == ("diverged", ["unexplained"])


def test_what_was_accepted_in_vain_is_reported() -> None:
    report = allowed("Clean", "rounding", "w/*")
    assert report.verdict == "pass"
    assert report.warnings() == [
        "--allow rounding accepted nothing: no such difference was found.",
        "--allow w/* accepted nothing: no such difference was found.",
    ]
