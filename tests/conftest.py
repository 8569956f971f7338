"""Shared controls: the default verification is run once for all tests that look at it."""

import subprocess
import sys
from pathlib import Path

import pytest

from ckptcheck import Report, verify

pytest.register_assert_rewrite("tests.planted_jobs")  # it asserts, and so stands above its import

from tests.planted_jobs import PLANTED as PLANTED  # noqa: E402
from tests.planted_jobs import toy as toy  # noqa: E402

ROOT = Path(__file__).parent.parent


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
