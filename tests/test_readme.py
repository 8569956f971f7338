"""Every command and code block of the README is run, and what it shows is compared with what is printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
# The commands that .ci/run runs, because they make or check what this very test runs in.
RUN_BY_CI = {
    "pip install -e . && python -m ckptcheck verify",
    "pip install -e '.[test]' && python -m pytest",
    "ruff check . && ruff format --check . && mypy",
}
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if line not in RUN_BY_CI]
PYTHON = [text for kind, text in BLOCKS if kind == "python"]
SHOWN = [text for kind, text in BLOCKS if kind == "text"]


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = re.sub(r"^python ", f"{sys.executable} ", command)
    return subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=False)


def test_the_readme_has_what_is_tested_here() -> None:
    assert {kind for kind, _ in BLOCKS} == {"sh", "python", "text"}
    assert (len(COMMANDS), len(PYTHON), len(SHOWN)) == (5, 2, 3)
    ci = (ROOT / ".ci" / "run").read_text()
    assert all(part in ci for command in RUN_BY_CI for part in command.split(" && "))


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(command: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PYTHON[1])
    done = shell(command, tmp_path)
    assert done.returncode == 0, done.stderr


def test_python(tmp_path: Path) -> None:
    (tmp_path / "ci.py").write_text(PYTHON[0])
    done = shell("python ci.py", tmp_path)
    assert done.returncode == 0, done.stderr


def masked(text: str) -> str:
    """Leave out what differs from one processor to another: the numbers, and the spaces that align them."""
    return re.sub(r"\s+", " ", re.sub(r"\d[\d.e+-]*", "#", text)).strip()


def test_output_is_what_is_shown(tmp_path: Path) -> None:
    printed = masked(shell("python -m ckptcheck verify", tmp_path).stdout)
    for shown in SHOWN:
        assert masked(shown) in printed


def test_the_figure_is_there() -> None:
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / path).is_file(), path


def test_every_option_outcome_and_restore_is_named() -> None:
    from ckptcheck.jobs import JOBS

    for word in ["--set", "--expect", "--timeout", "--json", "--out", "--boundary", "--steps", *JOBS]:
        assert word in README
    for name, job in JOBS.items():
        for restore, outcome in job.expected.items():
            row = next(line for line in README.splitlines() if line.startswith(f"| `{restore}`"))
            column = ["bn-nn", "bn-layers", "bn-polyak", "plain"].index(name)
            assert row.split("|")[3 + column].strip() == outcome
