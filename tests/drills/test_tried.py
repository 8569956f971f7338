"""What is made of a judged restart: the outcome of its row, and the verdict on all rows."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ckptcheck.diagnosis.catalogue import diagnosis
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.drills.cases import case_of
from ckptcheck.drills.drilled import DrillReport, Row, Timeline
from ckptcheck.drills.tried import _told
from ckptcheck.filetools.fsck_findings import Finding
from ckptcheck.report.case import Case
from ckptcheck.run.run import Failure
from tests.builder import changed, control, resumed

CONTROL = control()
RESUMED = resumed(CONTROL)
FAILED = changed(RESUMED, failure=Failure("restore", "RuntimeError", "no such file"))
REASON = "All else that was seen is equal."


def case(outcome: str, **more: Any) -> Case:
    facts = {"control": CONTROL, "resumed": RESUMED, **more}
    return Case("train.py", "mid of save 2", "recovered", outcome, **facts)


def row(outcome: str, killed_at: int = 16, went_on_at: int | None = 16, **more: Any) -> Row:
    """A row of a kill after the first save of 8 steps."""
    facts = {"finished_at": 8, "case": case(outcome), **more}
    return Row("mid of save 2", "save 2 whole", outcome, killed_at, went_on_at, **facts)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a restarted run that restored nothing."""
    return noted(tmp_path, [])


def noted(folder: Path, restores: Sequence[str]) -> Path:
    document = {"restores": [{"what": what} for what in restores]}
    (folder / "observed.json").write_text(json.dumps(document))
    return folder


# --- The outcome ----------------------------------------------------------------------------


def told(given: Row, folder: Path, trouble: str = "", reason: str = "") -> tuple[str, str]:
    found = _told(given, trouble, reason, folder)
    assert replace(found, outcome=given.outcome, reason=given.reason) == given
    return found.outcome, found.reason


def test_a_restart_from_where_it_was_killed_recovered(folder: Path) -> None:
    assert told(row("recovered"), folder) == ("recovered", "")


def test_steps_that_are_made_twice_are_lost_work(folder: Path) -> None:
    assert told(row("recovered", went_on_at=8), folder) == ("lost work", "")
    assert told(row("recovered", killed_at=17), folder) == ("lost work", "")


def test_a_restart_ahead_of_the_kill_recovered(folder: Path) -> None:
    """It saved once it was sent SIGTERM, and was killed later."""
    assert told(row("recovered", went_on_at=17), folder) == ("recovered", "")


@pytest.mark.parametrize(
    ("went_on_at", "finished_at", "reason"),
    [
        (8, 16, "It went on from step 8, although the save after 16 steps was finished."),
        (0, 1, "It went on from step 0, although the save after 1 step was finished."),
    ],
)
def test_an_older_save_than_the_finished_one_is_lost_work_that_is_not_good(
    folder: Path, went_on_at: int, finished_at: int, reason: str
) -> None:
    given = row("recovered", went_on_at=went_on_at, finished_at=finished_at)
    assert told(given, folder) == ("lost work", reason)
    assert not _told(given, "", "", folder).is_good


def test_it_began_anew_if_it_restored_nothing_and_is_at_step_0(folder: Path) -> None:
    given = row("diverged", went_on_at=0)
    assert told(given, folder) == ("began anew", "")
    assert told(given, noted(folder, ["torch.load"])) == ("diverged", "")


@pytest.mark.parametrize("went_on_at", [8, 16, None])
def test_it_diverged_anywhere_else(folder: Path, went_on_at: int | None) -> None:
    assert told(row("diverged", went_on_at=went_on_at), folder) == ("diverged", "")


def test_a_restore_that_raises_is_refused(folder: Path) -> None:
    assert told(row("refused", went_on_at=None), folder) == ("refused", "")


@pytest.mark.parametrize(
    "trouble", ["it exits with status 1: no file", "it exits with status 1: no file."]
)
def test_a_command_that_does_not_start_again_is_refused(folder: Path, trouble: str) -> None:
    given = row("inconclusive", went_on_at=None, reason="The resumed run did not finish.")
    why = "It cannot start again: it exits with status 1: no file."
    assert told(given, folder, trouble=trouble) == ("refused", why)


def test_a_failure_of_the_restarted_run_is_refused(folder: Path) -> None:
    given = row("inconclusive", case=case("inconclusive", resumed=FAILED), reason=REASON)
    assert told(given, folder) == ("refused", REASON)


def test_trouble_comes_before_the_failure(folder: Path) -> None:
    given = row("inconclusive", case=case("inconclusive", resumed=FAILED), reason=REASON)
    assert told(given, folder, "it ended", "other") == (
        "refused",
        "It cannot start again: it ended.",
    )


def test_a_restart_that_cannot_be_compared_diverged(folder: Path) -> None:
    given = row("inconclusive", case=case("inconclusive", resumed=None), went_on_at=None)
    assert told(given, folder, reason="It trains in 2 processes.") == (
        "diverged",
        "It trains in 2 processes.",
    )


def test_what_is_inconclusive_otherwise_stays_so(folder: Path) -> None:
    given = row("inconclusive", reason=REASON)
    assert told(given, folder) == ("inconclusive", REASON)


# --- What is good ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("killed_at", "went_on_at", "twice"), [(16, 8, 8), (16, 16, 0), (16, 17, 0), (16, 0, 16), (16, None, None)]
)  # fmt: skip
def test_steps_from_the_restart_to_the_kill_are_made_twice(
    killed_at: int, went_on_at: int | None, twice: int | None
) -> None:
    assert row("recovered", killed_at, went_on_at).twice == twice


@pytest.mark.parametrize(
    ("outcome", "is_good"),
    [
        ("recovered", True),
        ("lost work", True),
        ("diverged", False),
        ("refused", False),
        ("began anew", False),
        ("inconclusive", False),
    ],
)
def test_good_is_what_keeps_all_that_was_saved(outcome: str, is_good: bool) -> None:
    assert row(outcome).is_good is is_good
    assert row(outcome, went_on_at=8).is_good is is_good
    assert row(outcome, case=None).is_good is is_good
    assert row(outcome, went_on_at=None).is_good is is_good
    assert not row(outcome, went_on_at=7).is_good


def test_nothing_that_was_saved_is_lost_before_the_first_save() -> None:
    assert row("lost work", killed_at=5, went_on_at=0, finished_at=0, case=None).is_good


def fault() -> Diagnosis:
    return diagnosis("saving-changes-the-run", first="the loss of step 3")


def test_a_fault_of_the_job_is_not_good() -> None:
    faulty = case("recovered", diagnoses=(fault(),))
    assert faulty.faults
    assert not row("recovered", case=faulty).is_good


# --- The verdict on all ---------------------------------------------------------------------


def report(*rows: Row, **more: Any) -> DrillReport:
    cases = tuple(case_of(each, "train.py") for each in rows)
    return DrillReport(cases, {"python": "3.12.1"}, rows, **more)


GOOD, TWICE = row("recovered"), row("lost work", went_on_at=8)
OLDER = row("lost work", went_on_at=8, finished_at=16, reason="It went on from step 8.")
ANEW = row("began anew", went_on_at=0, case=case("diverged"))
UNKNOWN = row("inconclusive", went_on_at=None, case=None, reason="It ended before this point.")


@pytest.mark.parametrize(
    ("rows", "verdict", "code"),
    [
        ([GOOD], "pass", 0),
        ([GOOD, TWICE], "pass", 0),
        ([GOOD, OLDER], "fail", 1),
        ([GOOD, ANEW, UNKNOWN], "fail", 1),
        ([row("refused", went_on_at=None, case=None)], "fail", 1),
        ([GOOD, UNKNOWN], "inconclusive", 3),
        ([], "inconclusive", 3),
    ],
)
def test_the_verdict_is_that_of_the_worst_row(rows: Sequence[Row], verdict: str, code: int) -> None:
    found = report(*rows)
    assert (found.verdict, found.exit_code) == (verdict, code)


def test_an_assertion_follows_the_verdict() -> None:
    report(GOOD, TWICE).assert_recovered()
    for bad in (OLDER, ANEW):
        with pytest.raises(AssertionError, match=r"1 of 2 kills lost more than they may"):
            report(GOOD, bad).assert_recovered()


@pytest.mark.parametrize("bad", [row("refused", went_on_at=None, case=None), UNKNOWN])
def test_an_assertion_follows_the_verdict_of_rows_without_a_case(bad: Row) -> None:
    with pytest.raises(AssertionError):
        report(GOOD, bad).assert_recovered()


@pytest.mark.parametrize(
    ("given", "outcome", "reason"),
    [
        (GOOD, "recovered", None),
        (TWICE, "recovered", None),
        (OLDER, "diverged", "It went on from step 8."),
        (ANEW, "diverged", None),
        (row("refused", went_on_at=None, reason="It cannot start again."), "refused", "It cannot start again."),
        (row("inconclusive", reason=REASON), "inconclusive", REASON),
    ],
)  # fmt: skip
def test_a_case_has_an_outcome_that_every_report_knows(
    given: Row, outcome: str, reason: str | None
) -> None:
    found = case_of(given, "train.py")
    assert given.case is not None
    assert (found.outcome, found.reason) == (outcome, reason)
    assert replace(found, outcome="", reason=None) == replace(given.case, outcome="", reason=None)


# --- As values ------------------------------------------------------------------------------

FINDING = Finding("bad", "The file is empty", "1.pt", "It cannot be read.", "Delete it.")


def test_a_row_as_plain_values() -> None:
    given = row("diverged", 16, 8, seconds=0.5, findings=(FINDING,), reason=REASON)
    given = replace(given, case=case("diverged", diagnoses=(fault(),)))
    assert given.document() == {
        "point": "mid of save 2",
        "on_disk": "save 2 whole",
        "outcome": "diverged",
        "killed_at": 16,
        "went_on_at": 8,
        "finished_at": 8,
        "alike": 1,
        "twice": 8,
        "seconds": 0.5,
        "reason": REASON,
        "is_good": False,
        "noticed": None,
        "diagnoses": ["saving-changes-the-run"],
        "findings": [
            {
                "grade": "bad",
                "what": "The file is empty",
                "where": "1.pt",
                "effect": "It cannot be read.",
                "remedy": "Delete it.",
            }
        ],
    }


def test_a_row_that_was_not_judged_as_plain_values() -> None:
    assert UNKNOWN.document() == {
        "point": "mid of save 2",
        "on_disk": "save 2 whole",
        "outcome": "inconclusive",
        "killed_at": 16,
        "went_on_at": None,
        "finished_at": 8,
        "alike": 1,
        "twice": None,
        "seconds": 0.0,
        "reason": "It ended before this point.",
        "is_good": False,
        "noticed": None,
        "diagnoses": [],
        "findings": [],
    }


def test_a_report_as_json() -> None:
    left_out = {"between, after save 2": "The budget of 60 s was spent."}
    found = report(GOOD, UNKNOWN, timeline=Timeline(40, (8, 16, 24, 32)), left_out=left_out)
    document = json.loads(found.to_json())
    assert document == found.document() | {"timeline": {"steps": 40, "saves": [8, 16, 24, 32]}}
    assert document["verdict"] == "inconclusive"
    assert document["kills"] == [GOOD.document(), UNKNOWN.document()]
    assert document["left_out"] == left_out
    assert [each["outcome"] for each in document["cases"]] == ["recovered", "inconclusive"]


def test_a_report_of_nothing_as_json() -> None:
    document = json.loads(DrillReport((), {}).to_json())
    assert (document["verdict"], document["timeline"]) == ("inconclusive", None)
    assert (document["kills"], document["left_out"]) == ([], {})
