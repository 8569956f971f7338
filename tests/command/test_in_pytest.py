"""`verify_recovery(command=…)`: each argument of a command, in a session of pytest."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import FILES

TRAINER = Path(__file__).with_name("trainer.py")
TESTS = f"""
import sys

import pytest

TRAIN = [sys.executable, {str(TRAINER)!r}, "--log", "print", "--out"]
METRIC = r"step (\\d+) loss (\\S+)"


def test_metric(verify_recovery):
    report = verify_recovery(command=[*TRAIN, "{{run}}"], metric=METRIC)
    assert len(report.cases[0].comparison.steps) == 4


def test_resume(verify_recovery):
    command = [*TRAIN, "{{run}}"]
    with pytest.raises(pytest.fail.Exception, match="trainer.py does not recover"):
        verify_recovery(command=command, metric=METRIC, resume="--fault momentum")
    verify_recovery(command=command, metric=METRIC, resume="--fault anew", expect="diverged")


def test_writes(verify_recovery, tmp_path):
    place = tmp_path / "place"
    verify_recovery(command=[*TRAIN, str(place)], metric=METRIC, writes=place)
    assert not place.exists()


def test_save(verify_recovery):
    report = verify_recovery(command=[*TRAIN, "{{run}}"], metric=METRIC, save="2 of 2")
    assert [case.boundary for case in report.cases] == [4, 8]


def test_the_command_of_the_project(verify_recovery):
    (case,) = verify_recovery().cases
    assert (case.job, len(case.comparison.steps)) == ("trainer.py", 4)


def test_max_steps(verify_recovery):
    report = verify_recovery(command=[sys.executable, "plain_loop.py", "{{run}}"], max_steps=15)
    assert report.cases[0].control.facts.schedule.steps == 15


def test_a_command_that_fails(verify_recovery):
    verify_recovery(command=[sys.executable, "-c", "1 / 0", "{{run}}"])
"""

PROJECT = rf"""
[tool.ckptcheck.commands.train]
command = [{sys.executable!r}, {str(TRAINER)!r}, "--log", "print", "--out", "{{run}}"]
metric = 'step (\d+) loss (\S+)'
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> "subprocess.CompletedProcess[str]":
    folder = tmp_path_factory.mktemp("session")
    (folder / "test_command.py").write_text(TESTS)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "plain_loop.py").write_text(FILES["plain_loop.py"])
    command = [sys.executable, "-m", "pytest", "-vv", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("argument", ["metric", "resume", "writes", "save", "max_steps"])
def test_an_argument(argument: str, session: "subprocess.CompletedProcess[str]") -> None:
    assert f"test_command.py::test_{argument} PASSED" in session.stdout, session.stdout


def test_the_only_command_of_the_project(session: "subprocess.CompletedProcess[str]") -> None:
    assert "test_the_command_of_the_project PASSED" in session.stdout, session.stdout


def test_a_failure_says_why(session: "subprocess.CompletedProcess[str]") -> None:
    assert (
        "The control did not finish: it exited with status 1: ZeroDivisionError: division by zero."
    ) in " ".join(session.stdout.split())
