"""Right jobs that were refused or accused recover."""

import pytest

from ckptcheck import Case, Report, verify
from tests.conftest import ROOT

# One verification of all jobs, which a busy machine takes minutes for.
pytestmark = [pytest.mark.trials, pytest.mark.timeout(900)]

JOBS = ROOT / "tests" / "trials" / "right_jobs.py"
NAMES = (
    "MappedByPython",
    "BidirectionalReshaped",
    "BidirectionalAlone",
    "StepsAtOnce",
    "EpochOfUnknownLength",
    "BareVariable",
    "Text",
    "Ragged",
    "Sparse",
)


@pytest.fixture(scope="module")
def report() -> Report:
    return verify([f"{JOBS}:{name}" for name in NAMES])


def of(report: Report, name: str) -> list[Case]:
    return [case for case in report.cases if case.job.endswith(f":{name}")]


@pytest.mark.parametrize("name", NAMES)
def test_they_recover(name: str, report: Report) -> None:
    cases = of(report, name)
    assert {case.outcome: case.reason for case in cases} == {"recovered": None}
    assert [each.cause for case in cases for each in case.diagnoses] == []


def test_the_length_of_an_epoch_is_counted(report: Report) -> None:
    for case in of(report, "EpochOfUnknownLength"):
        assert case.control is not None
        assert case.control.facts.schedule.steps_per_epoch == 8


def test_a_metric_decides_no_case() -> None:
    report = verify(f"{JOBS}:MeasuredDropout", allow=["generators-restarted"])
    (case,) = report.cases
    assert (case.told_outcome, case.reason) == ("recovered, as allowed", None)
