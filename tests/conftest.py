"""What tests share: the planted jobs by name, and the default verification, which is run once for all tests that look at it."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from filelock import FileLock

from ckptcheck import Report, verify

pytest.register_assert_rewrite("tests.planted_jobs")  # it asserts, and so stands above its import

from tests.planted_jobs import PLANTED as PLANTED  # noqa: E402
from tests.planted_jobs import toy as toy  # noqa: E402

ROOT = Path(__file__).parent.parent

Made = TypeVar("Made")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file on one core, where its fixtures are made once; those that share nothing come last, on any."""
    for item in items:
        if not is_alone(item):
            item.add_marker(pytest.mark.xdist_group(item.path.relative_to(ROOT).as_posix()))
    items.sort(key=is_alone)


def is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that the processes of a run of the suite have in common."""
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


def once(folder: Path, make: Callable[[], Made]) -> Made:
    """Return what is made by whichever process comes first; the others wait for it."""
    folder.mkdir(exist_ok=True)
    kept = folder / "made.pickle"
    with FileLock(folder / "lock"):
        if not kept.exists():
            kept.write_bytes(pickle.dumps(make()))
    made: Made = pickle.loads(kept.read_bytes())
    return made


@pytest.fixture(scope="session")
def default_folder(shared: Path) -> Path:
    return shared / "default" / "runs"


@pytest.fixture(scope="session")
def default_command(shared: Path) -> tuple[Path, "subprocess.CompletedProcess[str]"]:
    """The README's first command: the folder it was given in, and what it printed."""
    folder, command = shared / "command", [sys.executable, "-m", "ckptcheck", "verify"]
    folder.mkdir(exist_ok=True)
    return folder, once(
        shared / "default-command",
        lambda: subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False),
    )


@pytest.fixture(scope="session")
def default_report(shared: Path, default_folder: Path) -> Report:
    """The six default cases, trained and restored in fresh processes on TensorFlow."""
    return once(shared / "default", lambda: verify(folder=default_folder))
