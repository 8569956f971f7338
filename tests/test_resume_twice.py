"""A run that was resumed and saved is resumed again: some jobs save less after a resume."""

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ckptcheck import Case, Report, UsageError, compare_runs, judge_folder, verify
from ckptcheck.diagnosis import second_resume
from ckptcheck.report.html import report_page
from ckptcheck.report.outputs import junit, markdown, terminal
from tests.planted_jobs import PLANTED, causes

# Steps, and where runs are resumed for the first and for the second time.
SHORT: dict[str, Any] = {"steps": 18, "boundaries": (6, 12)}
FIRST_ALONE = "The first resume recovers; what it saved does not."
NOT_JUDGED = "The first resume does not recover, so the second one is not judged. Fix the first, then verify again."
OMITTED = "omitted at save"
# What only a second resume shows of each planted job, and what its remedy is about.
PLANTED_TWICE = {
    "SavesLess": ([("slots-lost", OMITTED)], second_resume.SAVED_LESS),
    "SavesLessUnreported": ([("slots-lost", OMITTED)], second_resume.SAVED_LESS),
    "AveragesRestarted": ([("shadows-lost", OMITTED)], second_resume.SAVED_LESS),
    "CountsFromTheResume": ([("step-lost", OMITTED)], second_resume.POSITION),
    "OffsetTwice": ([("batches-differ", None)], second_resume.POSITION),
    "StaleGenerator": (
        [("generators-reseeded", None), ("batches-differ", None)],
        second_resume.SAVED_OTHERWISE,
    ),
    "SavesAgain": ([("updated-after-save", None)], second_resume.SAVED_AGAIN),
    "NumberedFromTheResume": ([("older-checkpoint", None)], second_resume.NUMBERING),
    "SavesNoMore": ([("older-checkpoint", None)], second_resume.NUMBERING),
    "RefusedTwice": ([("restore-raised", None)], second_resume.SAVED_FEWER),
}
RECOVERING = ("Clean", "Loops", "CreatesLate", "PointsToItsFolder")
FILES = {"Clean": "base", "Loops": "base", "CreatesLate": "base", "PointsToItsFolder": "saving"}

SHOWN = """\
                                   tensors    evaluation loss      training
job        restore     outcome       equal   resumed, control  losses equal
SavesLess  all         recovered       6/6    0.9888 = 0.9888         12/12
SavesLess  all, twice  diverged ✗      5/6  0.03885 = 0.03885           1/6

Saved after steps 6 and 12 of 18: the state is compared there, losses from there
on.
✗: expected recovered.
Moving means and variances: bit-equal with every restore.

SavesLess × all, twice: diverged, expected recovered ✗
  slots-lost (changes the trajectory; omitted at save)
  1 of 1 optimizer slot has its initial value.
  w/momentum
  → The uninterrupted run saves this, the resumed run does not. Let the restore
    fill the object that the next save reads: state.update(restored), then
    save(state).
  To accept: --allow slots-lost

SavesLess recovers with `all`: it continues bit for bit as if never interrupted.
`all, twice` loses the optimizer state. The first resume recovers; what it saved
does not.
FAIL: 1 of 2 cases did not do what was expected: SavesLess × all, twice diverged.
"""


def job(name: str) -> str:
    return f"{PLANTED / FILES.get(name, 'twice')}.py:{name}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("twice") / "runs"


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    names = (*RECOVERING, *PLANTED_TWICE, "LateState", "LosesAtOnce")
    jobs = [job(name) for name in names]
    return verify(jobs, resume_twice=True, unsaved=False, folder=folder, **SHORT)


def of(report: Report, name: str) -> tuple[Case, Case]:
    first, second = (case for case in report.cases if case.job == job(name))
    return first, second


@pytest.mark.parametrize("name", RECOVERING)
def test_a_clean_job_recovers_twice(report: Report, name: str) -> None:
    first, second = of(report, name)
    assert (first.label, second.label) == ("all", "all, twice")
    assert (first.outcome, second.outcome) == ("recovered", "recovered")
    assert (first.reason, second.reason, second.diagnoses) == (None, None, ())
    assert second.comparison is not None
    assert len(second.comparison.steps) == 6
    assert second.control is not None
    assert second.control.facts.schedule.boundaries == (6, 12)
    assert second.document()["first_boundary_step"] == 6
    assert second.document()["boundary_step"] == 12


@pytest.mark.parametrize("name", PLANTED_TWICE)
def test_what_only_a_second_resume_shows(report: Report, name: str) -> None:
    first, second = of(report, name)
    found, remedy = PLANTED_TWICE[name]
    assert (first.outcome, first.diagnoses) == ("recovered", ())
    assert second.outcome == ("refused" if name == "RefusedTwice" else "diverged")
    assert causes(second) == found
    # The control's checkpoint of the same step recovers, so the second resume is at fault.
    assert (second.once, second.reason) == ("recovered", FIRST_ALONE)
    assert {each.remedy for each in second.diagnoses} == {remedy}


def test_what_was_saved_as_it_was_restored(report: Report) -> None:
    (found,) = of(report, "SavesAgain")[1].diagnoses
    assert found.sentence == (
        "The resumed run saved 1 of 6 tensors as it was restored: the checkpoint holds its value after 6 steps."
    )


def test_each_run_starts_differently(report: Report) -> None:
    first, second = of(report, "Clean")
    runs = [case.resumed for case in (first, second)]
    seeds = [run.facts.seed for run in (first.control, *runs) if run]
    assert len(set(seeds)) == 3


def test_a_fault_of_the_second_save_is_none_of_the_second_resume() -> None:
    late: dict[str, Any] = {"steps": 30, "boundaries": (6, 21)}
    first, second = verify(job("LateState"), resume_twice=True, unsaved=False, **late).cases
    assert (first.outcome, second.outcome, second.once) == ("recovered", "diverged", "diverged")
    assert second.reason == (
        "The uninterrupted run's checkpoint of step 21 does not recover, either: the fault shows there in a first resume, too."
    )
    assert second.diagnoses[0].remedy.startswith("Save the lost tensors in the checkpoint")


def test_a_first_resume_that_fails_decides(report: Report) -> None:
    first, second = of(report, "LosesAtOnce")
    assert (first.outcome, causes(first)) == ("diverged", [("slots-lost", OMITTED)])
    assert (second.outcome, second.reason, second.diagnoses) == ("inconclusive", NOT_JUDGED, ())


def test_what_should_fail_is_resumed_once() -> None:
    asked: dict[str, Any] = {"expect": "diverged", "resume_twice": True, "unsaved": False, **SHORT}
    report = verify(job("LosesAtOnce"), "all", **asked)
    assert [(case.label, case.outcome) for case in report.cases] == [("all", "diverged")]
    assert report.verdict == "pass"


def test_the_kept_runs_are_judged_again(report: Report, folder: Path) -> None:
    again = judge_folder(folder)
    assert [case.document() for case in again.cases] == [case.document() for case in report.cases]
    allowed = judge_folder(folder, allow=["slots-lost"])
    assert [case.told_outcome for case in of(allowed, "SavesLess")] == [
        "recovered",
        "recovered, as allowed",
    ]
    expected = judge_folder(folder, expect="diverged")
    assert not [case for case in expected.cases if case.after]


def test_its_runs_are_compared_as_two_runs(report: Report) -> None:
    second = of(report, "SavesLess")[1]
    assert second.control is not None
    assert second.resumed is not None
    (case,) = compare_runs(second.control.folder, second.resumed.folder).cases
    assert (case.outcome, causes(case)) == ("diverged", [("slots-lost", OMITTED)])


@pytest.fixture(scope="module")
def two(report: Report) -> Report:
    return replace(report, cases=of(report, "SavesLess"))


def test_the_terminal_says_what_the_first_resume_shows(two: Report) -> None:
    console = Console(file=io.StringIO(), width=80)
    terminal.show(two, console)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == SHOWN


@pytest.mark.parametrize("output", ["junit", "markdown", "html", "assertion"])
def test_every_output_says_so(two: Report, output: str) -> None:
    said = {
        "junit": lambda: junit.of_report(two),
        "markdown": lambda: markdown.of_report(two),
        "html": lambda: report_page(two),
        "assertion": lambda: _raised(two),
    }[output]()
    assert "all, twice" in said
    assert FIRST_ALONE in said


def _raised(report: Report) -> str:
    with pytest.raises(AssertionError) as raised:
        report.assert_as_expected()
    return str(raised.value)


def test_tables_tell_the_two_cases_apart(two: Report) -> None:
    assert set(two.losses()["restore"]) == {"all", "all, twice"}
    assert set(two.tensors()["restore"]) == {"all", "all, twice"}


def test_an_executor_gives_the_same_cases(two: Report) -> None:
    asked: dict[str, Any] = {"resume_twice": True, "unsaved": False, **SHORT}
    with ThreadPoolExecutor(1) as pool:
        there = verify(job("SavesLess"), executor=pool, **asked)
    # It keeps no crash image for the control's own checkpoint.
    assert [(case.label, case.outcome, case.once) for case in there.cases] == [
        ("all", "recovered", None),
        ("all, twice", "diverged", None),
    ]
    assert there.cases[1].diagnoses == two.cases[1].diagnoses


def test_a_cached_control_is_resumed_twice(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"cache": tmp_path, "resume_twice": True, "unsaved": False, **SHORT}
    outcomes = []
    for _ in range(2):
        report = verify(job("SavesLess"), **asked)
        outcomes.append([case.outcome for case in report.cases])
    assert outcomes == [["recovered", "diverged"]] * 2
    assert [note.partition(",")[0] for note in report.environment.values()].count(
        "reused from the cache"
    ) == 1


def test_the_control_of_one_resume_is_another(tmp_path: Path) -> None:
    """It saves elsewhere, or at as many places for other runs."""
    for twice in (False, True):
        report = verify(job("Clean"), cache=tmp_path, resume_twice=twice, unsaved=False, **SHORT)
        assert "the cache holds no control for this request" in "".join(report.environment.values())


def test_three_boundaries_are_refused() -> None:
    with pytest.raises(UsageError) as raised:
        verify(job("Clean"), steps=18, boundaries=(3, 6, 9), resume_twice=True)
    assert str(raised.value) == (
        "A run is resumed twice from two boundaries, not from 3: 3, 6, 9. Name two."
    )
