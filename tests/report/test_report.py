"""The verdict as a value, and the texts of failing assertions."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ckptcheck import Case, Report
from ckptcheck.report.evidence import Pair
from ckptcheck.report.judge import Question, judge_pair
from ckptcheck.report.report import finite
from ckptcheck.run.run import Failure, Run
from tests.builder import AFTER, changed, control, resumed

CONTROL = control()
RESUMED = resumed(CONTROL)
LOST = changed(
    RESUMED,
    boundary={"mean": np.zeros((2, 3), np.float32)},
    evaluations={5: 0.5},
    held=["w", "w/momentum", "w/average"],
)


def judged(run: Run) -> Case:
    return judge_pair(Question("job", "saver", "recovered"), Pair(CONTROL, run))


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
    with pytest.raises(
        AssertionError, match=r"^No case was verified, so nothing is known to recover\.$"
    ):
        Report((), {}).assert_recovered()


def test_assertion_of_an_inconclusive_case_says_why() -> None:
    with pytest.raises(AssertionError) as caught:
        Report(
            (
                case(
                    "inconclusive", reason="The control did not finish: it was killed by SIGKILL."
                ),
                case("recovered"),
            ),
            {},
        ).assert_recovered()
    assert str(caught.value) == (
        "1 of 2 cases did not recover.\n"
        "Whether job recovers with `saver` is unknown. The control did not finish: it was killed "
        "by SIGKILL.\n\n"
        "job × saver: inconclusive, expected recovered\n"
        "  The control did not finish: it was killed by SIGKILL."
    )


def test_an_assertion_explains_itself() -> None:
    with pytest.raises(AssertionError) as caught:
        Report((judged(LOST), judged(RESUMED)), {}).assert_recovered()
    assert str(caught.value) == (
        "1 of 2 cases did not recover.\n"
        "job does not recover with `saver`: it loses the moving means and variances.\n\n"
        "job × saver: diverged, expected recovered\n"
        "  At the boundary, 5 of 6 tensors are bit-equal and the evaluation loss is 0.5 "
        "(control 0.2). After it, 3 of 3 training losses are bit-equal.\n"
        "  moving-statistics-lost (breaks training; omitted at save): 1 of 1 moving mean or "
        "variance has its initial value. Evaluation normalises with them, so it is wrong from the "
        "restart on. The training loss does not show it, because training normalises with the "
        "batch.\n"
        "    Tensors: mean\n"
        "  Remedy: Save the lost tensors in the checkpoint, np.savez(path, **tensors), and "
        "restore them from it: tensors.update(np.load(path)).\n"
        "  To accept: --allow moving-statistics-lost"
    )


def test_an_assertion_names_each_unexpected_case() -> None:
    with pytest.raises(AssertionError) as caught:
        Report(
            (case("recovered", "refused"), case("refused", "refused"), case("diverged")), {}
        ).assert_as_expected()
    assert str(caught.value) == (
        "2 of 3 cases did not do what was expected.\n"
        "job does not recover with `saver`: it is refused and diverges.\n\n"
        "job × saver: recovered, expected refused\n\n"
        "job × saver: diverged, expected recovered"
    )


def test_json_is_strict_where_numbers_are_not() -> None:
    off = judged(
        changed(
            RESUMED,
            boundary={"w": np.full((2, 3), np.nan, np.float32)},
            losses=dict.fromkeys(AFTER, math.nan),
        )
    )
    report = Report((off,), {"python": "3.12"})
    document = json.loads(
        report.to_json(), parse_constant=lambda word: pytest.fail(f"{word} is not JSON")
    )
    assert document == report.document() | {
        "cases": json.loads(json.dumps(report.document()["cases"]))
    }
    assert document["cases"][0]["train_loss"] == {
        "compared": 3,
        "equal": 0,
        "first_difference": 5,
        "max_abs_diff": None,
    }


@pytest.mark.parametrize(
    ("value", "strict"),
    [
        (math.nan, None),
        (-math.inf, None),
        (0.5, 0.5),
        (True, True),
        ("nan", "nan"),
        ((1, math.inf), [1, None]),
        ({"a": [math.nan, {"b": math.inf}]}, {"a": [None, {"b": None}]}),
    ],
)
def test_values_that_json_cannot_express(value: Any, strict: Any) -> None:
    assert finite(value) == strict


def test_document_has_the_promised_keys() -> None:
    failure = Failure("restore", "NotFoundError", "Key a not found")
    refused = judged(changed(RESUMED, failure=failure, asked={"w": "a"}))
    document = json.loads(Report((judged(RESUMED), refused), {"python": "3.12"}).to_json())
    assert list(document) == ["schema_version", "verdict", "environment", "cases"]
    assert (document["schema_version"], document["verdict"], document["environment"]) == (
        1,
        "fail",
        {"python": "3.12"},
    )
    promised = [
        "job",
        "restore",
        "expected",
        "outcome",
        "as_expected",
        "first_boundary_step",
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
    assert document["cases"][1]["error"] == {
        "type": "NotFoundError",
        "message": "Key a not found",
        "missing_keys": ["a"],
    }
    assert set(document["cases"][1]["diagnoses"][0]) == {
        "cause",
        "stage",
        "sentence",
        "remedy",
        "tensors",
        "detail",
        "severity",
    }


def test_a_report_is_printed_as_its_answer() -> None:
    passed = Report((judged(RESUMED),), {})
    assert (
        str(passed)
        == repr(passed)
        == """\
job recovers with `saver`: it continues bit for bit as if never interrupted.
PASS: 1 of 1 case recovered."""
    )
    assert repr(Report((), {})).splitlines()[-1] == (
        "INCONCLUSIVE: No case was verified, so nothing is known to recover."
    )
    unsafe = replace(judged(RESUMED), job="job\x1b[31m")
    assert "\x1b" not in repr(Report((unsafe,), {}))


def test_a_notebook_shows_a_table_and_the_answer() -> None:
    lost = replace(judged(LOST), job="<b>", restore="\x1b[31m")
    assert (
        Report((judged(RESUMED), lost), {})._repr_html_()
        == "<table><thead><tr><th>job</th><th>restore</th><th>outcome</th><th>tensors equal</th>"
        "<th>evaluation loss</th><th>training losses equal</th></tr></thead><tbody>"
        "<tr><td>job</td><td>saver</td><td>recovered</td><td>6/6</td><td>0.2 = 0.2</td>"
        "<td>3/3</td></tr>"
        "<tr><td>&lt;b&gt;</td><td>\\x1b[31m</td><td>diverged, expected recovered</td>"
        "<td>5/6</td><td>0.5 ≠ 0.2</td><td>3/3</td></tr></tbody></table>"
        "<p>job recovers with `saver`: it continues bit for bit as if never interrupted. "
        "&lt;b&gt; does not recover with `\\x1b[31m`: it loses the moving means and variances.</p>"
        "<p>FAIL: 1 of 2 cases did not do what was expected: &lt;b&gt; × \\x1b[31m diverged.</p>"
    )


def test_warnings_are_those_of_its_cases() -> None:
    assert Report(
        (judged(changed(RESUMED, asked={"w": "w"}, boundary={"mean": 0})),), {}
    ).warnings() == [
        "job × saver: the restore does not cover 1 of 6 tensors, which keeps its initial value: "
        "mean."
    ]


def test_json_holds_every_name_and_no_control_character() -> None:
    job = "od\udcff/jobs.py:Größe\x1b\x9b\x7f\n\U000e0001"
    report = Report((replace(judged(RESUMED), job=job),), {})
    text = report.to_json()
    assert text.replace("\n", "").isprintable()
    assert "Größe" in text
    assert json.loads(text) == report.document()
