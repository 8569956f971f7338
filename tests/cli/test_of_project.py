"""`verify` without a job: what the table in pyproject.toml names. The command line goes first."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import Done, call, run
from tests.planted_jobs import PLANTED

JOB = f"""
import sys
sys.path.insert(0, {str(PLANTED)!r})
from clean import TwoWays
import numpy as np

class Sums(TwoWays):
    restores = ("all", "weights")
"""
TABLE = """
[tool.ckptcheck]
jobs = ["job.py:Sums"]
steps = 21
boundary = 9
kinds = {"w/momentum" = "accumulator"}

[tool.ckptcheck.allow]
accumulators-lost = "The sum is short."
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "job.py").write_text(JOB)
    (tmp_path / "pyproject.toml").write_text(TABLE)
    (tmp_path / "inner").mkdir()
    return tmp_path


def cases(done: Done) -> list[tuple[str, str]]:
    return [(each["restore"], each["outcome"]) for each in json.loads(done.stdout)["cases"]]


def test_it_is_verified_from_any_folder_of_the_project(folder: Path) -> None:
    done = run("verify", cwd=folder / "inner")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(f"ckptcheck: verifying what {folder}/pyproject.toml names\n")
    assert (
        "  accepted: accumulators-lost (changes the trajectory; not applied at load)\n"
        "  1 of 1 gradient accumulator has its initial value. Reason: The sum is short.\n"
    ) in done.stdout


def test_the_command_line_replaces_what_the_table_says(folder: Path) -> None:
    text = TABLE + '[tool.ckptcheck.expect]\nweights = "diverged"\n'
    (folder / "pyproject.toml").write_text(text.replace("accumulators-lost", "slots-lost"))
    done = run("verify", "--boundaries", "5,9", "--restore", "weights", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert cases(done) == [("weights", "diverged")] * 2  # one for each boundary
    allowed = run("verify", "--allow", "accumulators-lost", "--json", cwd=folder)
    assert cases(allowed) == [("all", "recovered"), ("weights", "recovered")]
    assert allowed.returncode == 1  # it was expected to diverge


def test_an_expectation_of_no_restore(folder: Path) -> None:
    text = TABLE + '[tool.ckptcheck.expect]\nwieghts = "diverged"\n'
    (folder / "pyproject.toml").write_text(text)
    done = run("verify", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.endswith(
        "ckptcheck: There is no restore to expect an outcome of called 'wieghts'. Did you mean weights? Known: all, weights.\n"
    )


def test_a_named_job_does_not_use_it(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.ckptcheck]\nstesp = 3\n")
    done = call("verify", "job.py:Smus", cwd=folder)
    assert done.stderr == "ckptcheck: job.py defines nothing called 'Smus'. Did you mean Sums?\n"
    assert "has no key 'stesp'" in call("verify", cwd=folder).stderr


def test_in_pytest(folder: Path) -> None:
    (folder / "inner" / "test_resume.py").write_text(
        "def test_project(verify_recovery):\n"
        "    report = verify_recovery()\n"
        "    assert [case.told_outcome for case in report.cases] == ['recovered', 'recovered, as allowed']\n"
        "def test_a_file_below_the_root(verify_recovery):\n"
        "    verify_recovery('job.py:Sums', 'all', steps=21)\n"
    )
    (folder / "elsewhere").mkdir()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "../inner"]
    done = subprocess.run(
        command, cwd=folder / "elsewhere", capture_output=True, text=True, check=False
    )
    assert "2 passed" in done.stdout, done.stdout
