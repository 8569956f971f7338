"""A PyTorch script that is resumed twice: what its resumed run saves less is lost then."""

import sys
from pathlib import Path

import pytest

from ckptcheck import Report, judge_folder, verify

pytestmark = [pytest.mark.torch, pytest.mark.timeout(900)]  # several processes, on two cores

TRAIN = Path(__file__).with_name("scripts") / "saves_less.py"


def verified(option: str, folder: Path | None = None) -> Report:
    pytest.importorskip("torch")
    command = [sys.executable, str(TRAIN), "{run}", *([option] if option else [])]
    return verify(command=command, resume_twice=True, folder=folder)


def outcomes(report: Report) -> list[tuple[str, str]]:
    return [(case.label, case.outcome) for case in report.cases]


def test_a_script_that_saves_all_recovers_twice(tmp_path: Path) -> None:
    report = verified("", tmp_path / "runs")
    assert outcomes(report) == [("restart", "recovered"), ("restart, twice", "recovered")]
    first, second = report.cases
    assert first.control is not None
    assert first.control.facts.schedule.boundaries == (16, 24)
    assert second.comparison is not None
    assert len(second.comparison.steps) == 8
    assert outcomes(judge_folder(tmp_path / "runs")) == outcomes(report)


@pytest.mark.parametrize(
    ("option", "causes"),
    [
        ("--keeps-old-generator", ["updated-after-save"]),
        ("--counts-from-the-resume", ["wrong-last-step"]),
        ("--numbers-from-the-resume", ["older-checkpoint"]),
        ("--saves-no-more", ["older-checkpoint"]),
    ],
)
def test_what_only_a_second_resume_shows(option: str, causes: list[str]) -> None:
    report = verified(option)
    assert outcomes(report) == [("restart", "recovered"), ("restart, twice", "diverged")]
    second = report.cases[1]
    assert [each.cause for each in second.diagnoses] == causes
    assert second.once == "recovered"
    assert second.reason == "The first resume recovers; what it saved does not."


def test_a_run_that_saves_elsewhere_after_a_resume() -> None:
    report = verified("--saves-elsewhere")
    assert outcomes(report) == [("restart", "recovered"), ("restart, twice", "inconclusive")]
    assert report.cases[1].reason == (
        "The control saves after step 24, the resumed run after steps 21, 26, 31, where the control's state is unknown. Save by the total of steps, not by those since the resume."
    )
