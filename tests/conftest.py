"""Shared controls: the default verification is run once for all tests that look at it."""

import subprocess
import sys
from pathlib import Path

import pytest

from ckptcheck import Report, verify

HERE = Path(__file__).parent
ROOT = HERE.parent
PLANTED = HERE / "planted"
TOYS = PLANTED / "toy_jobs.py"


def toy(name: str) -> str:
    return f"{TOYS}:{name}"


@pytest.fixture(scope="session")
def default_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("default") / "runs"


@pytest.fixture(scope="session")
def default_command(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, "subprocess.CompletedProcess[str]"]:
    """The README's first command: the folder it was given in, and what it printed."""
    folder = tmp_path_factory.mktemp("command")
    command = [sys.executable, "-m", "ckptcheck", "verify"]
    return folder, subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def default_report(default_folder: Path) -> Report:
    """The six default cases, trained and restored in fresh processes on TensorFlow."""
    return verify(folder=default_folder)
