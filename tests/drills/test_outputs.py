"""Markdown, a notebook and a page say of a drill what the terminal says: a row for each kill."""

from dataclasses import replace

import pytest

from ckptcheck.drills.cases import case_of
from ckptcheck.drills.drilled import BEGAN_ANEW, LOST_WORK, Cut, DrillReport, Row, Timeline
from ckptcheck.drills.sentences import told
from ckptcheck.filetools.fsck_findings import Finding
from ckptcheck.outcomes import REFUSED
from ckptcheck.report.html import report_page
from ckptcheck.report.outputs import junit, markdown

TORN = Row("mid of save 2", "part of save 2: last.pt 0 B of 2 MB", REFUSED, 10, finished_at=5)
GOOD = Row("after save 2", "save 2 whole", LOST_WORK, 12, went_on_at=10, finished_at=10, alike=3)
VERDICT = "FAIL: 1 of 2 kills lost more than they may: mid of save 2 was refused."
ANSWER = (
    "train.py makes 20 steps, and saves after steps 5, 10, 15. Each row is a run that was killed "
    "and started again."
)


@pytest.fixture
def report() -> DrillReport:
    rows = (TORN, GOOD)
    cases = tuple(case_of(row, "train.py") for row in rows)
    drilled = DrillReport(cases, {}, rows, Timeline(20, (5, 10, 15)))
    return replace(drilled, words=told(drilled))


def test_markdown(report: DrillReport) -> None:
    assert markdown.of_report(report).startswith(
        f"""## ckptcheck: fail

<p>{ANSWER}</p>

<p><b>{VERDICT}</b></p>

| killed | on disk after the kill | outcome | went on from | steps made twice |
|---|---|---|---|---|
| mid of save 2 | part of save 2: last.pt 0 B of 2 MB | refused ✗ | – | – |
| after save 2 | save 2 whole (and 2 alike) | lost work | step 10 | 2 |
"""
    )


def test_what_was_not_tried_is_skipped(report: DrillReport) -> None:
    left = replace(report, left_out={"term after save 2": "The budget of 10 s was spent."})
    document = junit.of_report(replace(left, words=told(left)))
    assert '<testsuites tests="3" failures="1" errors="0" skipped="1"' in document
    assert '<testcase name="term after save 2" classname="train.py">' in document
    assert '<skipped message="The budget of 10 s was spent."/>' in document


def test_a_notebook(report: DrillReport) -> None:
    assert repr(report) == f"{ANSWER}\n{VERDICT}"
    shown = report._repr_html_()
    assert "<td>part of save 2: last.pt 0 B of 2 MB</td><td>refused ✗</td>" in shown
    assert f"<p>{VERDICT}</p>" in shown


def test_a_page(report: DrillReport) -> None:
    drawing = '<?xml version="1.0"?>\n<svg width="600"></svg>'
    page = report_page(report, "ckptcheck drill -- python train.py {run}", drawing)
    for text in (ANSWER, VERDICT, "on disk after the kill", "part of save 2: last.pt 0 B of 2 MB"):
        assert text in page
    assert '<div class="drawing"><svg width="600"></svg></div>' in page
    assert "evaluation loss" not in page.partition("</table>")[0]


def test_every_output_says_what_fsck_found_and_how_to_save(report: DrillReport) -> None:
    found = (Finding("bad", "The file is empty", "last.pt", "a restore raises", "Delete it."),)
    row = replace(TORN, findings=found, cut=Cut.IN_SAVE)
    whole = replace(report, rows=(row, GOOD), cases=(case_of(row, "train.py"), report.cases[1]))
    for text in (
        "fsck: The file is empty, last.pt: a restore raises",
        "After a kill within a save: Write",
    ):
        assert text in report_page(whole, "")
        assert f"<p>{text}" in markdown.of_report(whole)
        assert f"\n  {text}" in junit.of_report(whole)
        with pytest.raises(AssertionError, match=f"\n  {text}"):
            whole.assert_recovered()


def test_one_of_one(report: DrillReport) -> None:
    one = replace(report, rows=report.rows[:1], cases=report.cases[:1])
    assert (
        told(one).verdict == "FAIL: 1 of 1 kill lost more than it may: mid of save 2 was refused."
    )


def test_a_command_that_never_resumes_may_lack_an_argument(report: DrillReport) -> None:
    rows = (replace(TORN, outcome=BEGAN_ANEW), replace(GOOD, outcome=BEGAN_ANEW))
    assert told(replace(report, rows=rows)).verdict == (
        "FAIL: 2 of 2 kills lost more than they may: mid of save 2 and after save 2 began anew. "
        "It never resumed. If it needs an argument for that, pass it with --resume."
    )
