"""Jobs of TensorFlow that are resumed twice."""

import pytest

from ckptcheck import Case, Report, verify
from tests.planted_jobs import PLANTED, causes

JOBS = PLANTED / "twice_keras.py"
NAMES = ("Loop", "LoopWithoutGenerator", "Fit", "FitOfWeights")


@pytest.fixture(scope="module")
def report() -> Report:
    return verify([f"{JOBS}:{name}" for name in NAMES], resume_twice=True, unsaved=False)


def of(report: Report, name: str) -> list[Case]:
    return [case for case in report.cases if case.job == f"{JOBS}:{name}"]


def test_what_is_saved_whole_recovers_twice(report: Report) -> None:
    cases = [*of(report, "Loop"), *of(report, "Fit")]
    assert {case.label: case.outcome for case in cases} == dict.fromkeys(
        [
            f"{restore}{twice}"
            for restore in ("checkpoint", "keras", "backup")
            for twice in ("", ", twice")
        ],
        "recovered",
    )
    assert [case.boundary for case in cases if case.after] == [17, 15, 15, 15]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("LoopWithoutGenerator", [("generators-restarted", "omitted at save")]),
        ("FitOfWeights", [("slots-lost", "omitted at save"), ("step-lost", "omitted at save")]),
    ],
)
def test_what_a_resumed_run_saves_less(
    report: Report, name: str, found: list[tuple[str, str]]
) -> None:
    first, second = of(report, name)
    assert (first.outcome, first.diagnoses) == ("recovered", ())
    assert (second.outcome, second.once) == ("diverged", "recovered")
    assert causes(second) == found
    assert second.reason == "The first resume recovers; what it saved does not."
