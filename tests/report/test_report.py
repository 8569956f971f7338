"""The verdict as a value: which outcomes make which verdict, and the text of a failing assertion."""

import json
from string import Formatter
from typing import Any

import pytest

from ckptcheck import Case, Report, verify
from ckptcheck.diagnosis.catalogue import diagnosis
from tests.conftest import toy


def case(outcome: str, expected: str = "recovered", **facts: Any) -> Case:
    return Case("job", "saver", expected, outcome, **facts)


@pytest.mark.parametrize(
    ("cases", "verdict", "code"),
    [
        ([case("recovered")], "pass", 0),
        ([case("refused", "refused"), case("diverged", "diverged")], "pass", 0),
        ([case("recovered", "diverged")], "fail", 1),
        ([case("recovered"), case("diverged")], "fail", 1),
        ([case("recovered"), case("inconclusive")], "inconclusive", 3),
        ([case("diverged"), case("inconclusive")], "fail", 1),
        ([], "inconclusive", 3),
    ],
)
def test_verdict(cases: list[Case], verdict: str, code: int) -> None:
    report = Report(tuple(cases), {})
    assert (report.verdict, report.exit_code) == (verdict, code)
    assert json.loads(report.to_json())["verdict"] == verdict


def test_assertions_pass_and_fail_on_the_right_things() -> None:
    Report((case("recovered"),), {}).assert_recovered()
    Report((case("refused", "refused"),), {}).assert_as_expected()
    with pytest.raises(AssertionError):
        Report((case("refused", "refused"),), {}).assert_recovered()
    with pytest.raises(AssertionError):
        Report((case("recovered", "refused"),), {}).assert_as_expected()
    with pytest.raises(AssertionError, match=r"^No case was verified, so nothing is known to recover\.$"):
        Report((), {}).assert_recovered()


def test_assertion_of_an_inconclusive_case_says_why() -> None:
    with pytest.raises(AssertionError) as caught:
        Report(
            (case("inconclusive", reason="The control did not finish: it was killed by SIGKILL."), case("recovered")), {}
        ).assert_recovered()
    assert str(caught.value) == (
        "1 of 2 cases did not recover.\n\n"
        "job × saver: inconclusive (expected: recovered)\n"
        "  The control did not finish: it was killed by SIGKILL."
    )


def test_assertion_stands_by_itself() -> None:
    report = verify(toy("StatisticsNotSaved"), steps=21, boundary=9)
    with pytest.raises(AssertionError) as caught:
        report.assert_recovered()
    control, resumed = report.cases[0].boundary_eval or (0.0, 0.0)
    assert str(caught.value) == (
        "1 of 1 cases did not recover.\n\n"
        f"{toy('StatisticsNotSaved')} × all: diverged (expected: recovered)\n"
        f"  At the boundary 5 of 6 tensors are bit-equal and the evaluation loss is {resumed:.6g} (control {control:.6g}); "
        "after it 12 of 12 training losses are bit-equal.\n"
        "  moving-statistics-lost (omitted at save): 1 of 1 moving means and variances are at their initial values. Evaluation "
        "normalises with them, so it is wrong from the restart on; the training loss does not show it, because training "
        "normalises with the batch.\n"
        "    Remedy: Save them with the checkpoint, and fill them from it in the restore.\n"
        "    Tensors: mean"
    )


def test_json_is_strict_where_numbers_are_not() -> None:
    report = verify(toy("TurnsNaN"), steps=21, boundary=3, equal_nan=True)
    document = json.loads(report.to_json(), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert document["cases"][0]["train_loss"]["compared"] == 18
    assert document["cases"][0]["outcome"] == "recovered"


def test_every_cause_has_its_sentences() -> None:
    from ckptcheck.diagnosis.catalogue import CAUSES, remedy

    for name, cause in CAUSES.items():
        fields: dict[str, Any] = {
            field: 1.0 if spec else "something" for _, field, spec, _ in Formatter().parse(cause.sentence) if field
        }
        filled = diagnosis(name, **fields)
        assert "{" not in filled.sentence
        assert filled.sentence.endswith((".", "something"))
        assert remedy(cause, None).endswith(".")


def test_document_has_the_promised_keys(default_report: Report) -> None:
    document = json.loads(default_report.to_json())
    assert list(document) == ["schema_version", "verdict", "environment", "cases"]
    promised = [
        "job",
        "restore",
        "expected",
        "outcome",
        "as_expected",
        "boundary_step",
        "steps",
        "tensors",
        "train_loss",
        "eval_loss",
        "diagnoses",
        "error",
    ]
    for each in document["cases"]:
        assert set(promised) <= set(each)
        assert set(each["tensors"]) == {"compared", "equal", "by_kind"}
        assert set(each["train_loss"]) == {"compared", "equal", "first_difference", "max_abs_diff"}
    refused = document["cases"][1]
    assert set(refused["error"]) == {"type", "message", "missing_keys"}
    assert set(refused["diagnoses"][0]) == {"cause", "stage", "sentence", "remedy", "tensors"}
