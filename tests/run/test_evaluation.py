"""The evaluation at the boundary, which no training makes, neither hides nor causes a difference."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ckptcheck import Case, judge_folder, verify
from ckptcheck.diagnosis.experiments import made_good_by_evaluation
from ckptcheck.job.schedule import Schedule
from ckptcheck.report.judge import experiments_for, is_clear
from ckptcheck.run.python_state import Change
from ckptcheck.run.run import Facts, Run
from ckptcheck.run.task import UNEVALUATED

JOBS = Path(__file__).with_name("evaluation_jobs.py")
SHORT: dict[str, Any] = {"steps": 21, "boundary": 9}
HIDDEN = {
    "Warms": ["unexplained"],
    "ForgetsWhenItWasEvaluated": ["unexplained"],
    "MakesItsAttribute": ["resumed-run-raised"],
    "Notes": None,
    "Dies": None,
}
HARMLESS = ("Counts", "CountsAndSaves")


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluation") / "runs"


@pytest.fixture(scope="module")
def cases(top: Path) -> dict[str, Case]:
    report = verify([f"{JOBS}:{name}" for name in (*HIDDEN, *HARMLESS)], folder=top, **SHORT)
    return {case.job.rpartition(":")[2]: case for case in report.cases}


def runs(top: Path, name: str) -> set[str]:
    return {path.name for path in (top / f"evaluation_jobs-{name}").iterdir()}


@pytest.mark.parametrize("name", [name for name in HIDDEN if HIDDEN[name]])
def test_a_loss_that_the_evaluation_hides_is_found(name: str, cases: dict[str, Case]) -> None:
    case = cases[name]
    assert (case.outcome, [diagnosis.cause for diagnosis in case.diagnoses]) == (
        "diverged",
        HIDDEN[name],
    )
    assert is_clear(case)


def test_the_omitted_evaluation_is_not_a_difference(cases: dict[str, Case]) -> None:
    comparison = cases["Warms"].comparison
    assert comparison is not None
    assert [row.steps_done for row in comparison.evaluations] == [12, 18, 21]


def test_a_change_that_nothing_reads_is_accepted(cases: dict[str, Case], top: Path) -> None:
    case = cases["Notes"]
    assert (case.outcome, case.reason, case.diagnoses) == ("recovered", None, ())
    assert is_clear(case)
    assert case.comparison is not None
    assert case.comparison.exact
    assert case.comparison.evaluation is not None
    assert case.comparison.evaluation.steps_done == 9
    assert {"unevaluated@9", "resumed-all@9~unevaluated"} < runs(top, "Notes")


def test_without_the_experiment_the_case_is_inconclusive(cases: dict[str, Case]) -> None:
    case = cases["Dies"]
    assert (case.outcome, case.reason) == (
        "inconclusive",
        "The evaluation at the boundary changed warm, which differed from the control's until "
        "then, so the evaluation may hide a loss. The runs without that evaluation are missing.",
    )
    assert not is_clear(case)
    assert experiments_for(case) == {UNEVALUATED: {}}


def test_on_an_executor_the_case_is_inconclusive(cases: dict[str, Case]) -> None:
    """An executor keeps no crash image for the experiment."""
    with ThreadPoolExecutor(1) as pool:
        there, counts = verify([f"{JOBS}:Warms", f"{JOBS}:Counts"], executor=pool, **SHORT).cases
    assert (there.outcome, there.reason) == ("inconclusive", cases["Dies"].reason)
    assert counts.outcome == "recovered"


@pytest.mark.parametrize("name", HARMLESS)
def test_equal_changes_need_no_experiment(name: str, cases: dict[str, Case], top: Path) -> None:
    case = cases[name]
    assert (case.outcome, case.diagnoses, case.reason) == ("recovered", (), None)
    assert is_clear(case)
    assert runs(top, name) == {"control", "unsaved", "crash-image@9", "resumed-all@9"}


def test_rejudging_gives_the_same_report(cases: dict[str, Case], top: Path) -> None:
    anew = {case.job.rpartition(":")[2]: case for case in judge_folder(top).cases}
    assert {name: case.document() for name, case in anew.items()} == {
        name: case.document() for name, case in cases.items()
    }


def test_each_boundary_has_one_unevaluated_control() -> None:
    started: list[str] = []
    report = verify(
        f"{JOBS}:Warms",
        steps=21,
        boundaries=(9, 15),
        watch=lambda event: (
            started.append(event.name.rpartition(":")[2]) if event.kind == "started" else None
        ),
    )
    assert [case.outcome for case in report.cases] == ["diverged", "diverged"]
    assert [
        case.comparison.evaluations[0].steps_done for case in report.cases if case.comparison
    ] == [12, 18]
    assert sorted(name for name in started if "again" in name) == [
        "Warms control @ 15 again",
        "Warms control @ 9 again",
        "Warms control again (1)",
        "Warms × all @ 15 again",
        "Warms × all @ 9 again",
    ]


def recorded(before: dict[str, float], changed: dict[str, Change]) -> Run:
    facts = Facts("control", "job", None, 0, Schedule(21, 9, 6))
    facts.attributes["boundary-9"] = before
    facts.attributes_changed_by_evaluation["boundary-9"] = changed
    return Run(Path(), facts, (), {})


@pytest.mark.parametrize(
    ("control", "resumed", "named"),
    [
        (recorded({"a": 1.0}, {}), recorded({"a": 0.0}, {}), []),
        (recorded({"a": 1.0}, {}), recorded({"a": 0.0}, {"a": (0.0, 1.0)}), ["a"]),
        (recorded({"a": 3.0}, {"a": (3.0, 0.0)}), recorded({"a": 0.0}, {}), ["a"]),
        (recorded({"a": 3.0}, {"a": (3.0, 4.0)}), recorded({"a": 0.0}, {"a": (0.0, 1.0)}), []),
        (
            recorded({"a": 0.3}, {"a": (0.3, 0.3 + 0.1)}),
            recorded({"a": 0.0}, {"a": (0.0, 0.1)}),
            [],
        ),
        (recorded({"a": 3.0}, {"a": (3.0, 4.0)}), recorded({"a": 3.0}, {"a": (3.0, 9.0)}), []),
        (recorded({}, {"a": (None, 4.0)}), recorded({}, {"a": (None, 5.0)}), []),
        (recorded({"a": 4.0}, {}), recorded({}, {"a": (None, 4.0)}), ["a"]),
        (recorded({}, {}), recorded({}, {"a": (None, 4.0)}), []),
    ],
)
def test_which_changes_may_hide_a_loss(control: Run, resumed: Run, named: list[str]) -> None:
    assert made_good_by_evaluation(control, resumed) == named
