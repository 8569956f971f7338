"""Expected differences: what is allowed is shown, and hides nothing else."""

import pytest

from ckptcheck import Case, Report, UsageError, verify
from ckptcheck.diagnosis.allowances import parse
from ckptcheck.report.sentences import story
from tests.conftest import toy


def allowed(job: str, *texts: str) -> Report:
    return verify(toy(job), steps=21, boundary=9, allow=texts)


def causes(case: Case) -> list[str]:
    return [each.cause for each in case.diagnoses]


def test_a_cause_that_is_allowed_is_shown() -> None:
    report = allowed("OtherRate", "learning-rate-differs")
    (case,) = report.cases
    assert (case.outcome, causes(case), [each.cause for each in case.allowed]) == ("recovered", [], ["learning-rate-differs"])
    assert "allowed: learning-rate-differs: The learning rate is 0.01, the control's is 0.001, first at step 19." in story(
        case
    )
    assert report.document()["cases"][0]["allowed"][0]["cause"] == "learning-rate-differs"
    assert report.warnings() == []


def test_no_output_shows_it_as_an_exact_recovery() -> None:
    from ckptcheck import plot
    from ckptcheck.report.html import report_page
    from ckptcheck.report.outputs import markdown

    report = allowed("OtherRate", "learning-rate-differs")
    assert story(report.cases[0]).splitlines()[0].endswith("OtherRate × all: recovered, as allowed (expected: recovered)")
    assert "| all | recovered, as allowed | 6/6 |" in markdown.of_report(report)
    assert "OtherRate × all: recovered, as allowed, as expected" in report_page(report)
    legend = plot(report).axes[0].get_legend()
    assert legend is not None
    assert "all: recovered, as allowed" in [text.get_text() for text in legend.get_texts()]


def test_tensors_by_their_names() -> None:
    (case,) = allowed("SlotsLost", "w/mom*").cases
    assert (case.outcome, [each.tensors for each in case.allowed]) == ("recovered", [("w/momentum",)])


def test_what_is_not_allowed_is_found_beside_it() -> None:
    (case,) = allowed("ShadowInWeight", "shadows-lost").cases
    assert (case.outcome, causes(case), [each.cause for each in case.allowed]) == (
        "diverged",
        ["shadows-in-weights"],
        ["shadows-lost"],
    )


def test_what_an_allowed_cause_cannot_have_done_is_no_consequence() -> None:
    """Slots are lost, and the evaluation at the boundary is another one too: an optimizer has not acted by then."""
    (case,) = allowed("LosesSlotsAndHidesInEvaluation", "slots-lost").cases
    assert (case.outcome, causes(case)) == ("diverged", ["unexplained"])
    assert case.diagnoses[0].sentence.startswith(
        "Unexplained: what is allowed does not reach so far, but the evaluation loss after 9 steps is "
    )
    # What a tensor can reach is told by its kind.
    (case,) = allowed("LosesSlotsAndHidesInEvaluation", "w/momentum*").cases
    assert (case.outcome, causes(case)) == ("diverged", ["unexplained"])


def test_what_did_not_come_about_is_told() -> None:
    report = allowed("Clean", "rounding", "w/*")
    assert report.verdict == "pass"
    assert report.warnings() == [
        "rounding is allowed, and nothing of that kind was found.",
        "w/* is allowed, and nothing of that kind was found.",
    ]


@pytest.mark.parametrize("cause", ["unexplained", "nothing-restored", "noise"])
def test_what_is_always_a_fault(cause: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse([cause])
    assert str(raised.value) == f"{cause} cannot be allowed: after it nothing can be said of the rest of the run."


def test_what_is_neither_cause_nor_pattern() -> None:
    with pytest.raises(UsageError, match=r"^There is no cause to allow called 'roundin'\. Did you mean rounding\? "):
        parse(["roundin"])
