"""Shared by tests: the planted jobs by name, and the default verification, which runs once."""

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from filelock import FileLock
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from ckptcheck import Report, judge_folder

pytest.register_assert_rewrite("tests.planted_jobs")  # before its import, because it asserts

from tests.planted_jobs import PLANTED as PLANTED  # noqa: E402
from tests.planted_jobs import toy as toy  # noqa: E402

ROOT = Path(__file__).parent.parent

Made = TypeVar("Made")


# Their many long tests share no fixture: they come last, each on any free core.
EACH_ALONE = ("tests/test_readme_commands.py", "tests/commands/torch/test_scripts.py")


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # of a package without types
    """Keeps the tests of a file on one core, so that its fixtures are made once."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return nodeid if path in EACH_ALONE else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


# What takes minutes. `--sample` runs a third of the tests of each file: related ones stand side by side.
LONG = {"cards", "trials", "commands"}
SAMPLED = 3


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sample", action="store_true", help="run a third of the long tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--sample"):
        left_out = set(_left_out(items))
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=lambda item: item.nodeid.startswith(EACH_ALONE))


def _is_long(item: pytest.Item) -> bool:
    marks = {mark.name for mark in item.iter_markers()}
    trains_with_torch = "torch" in marks and bool({"commands", "drills"} & {*item.path.parts})
    return trains_with_torch or bool(LONG & marks)


def _left_out(items: list[pytest.Item]) -> Iterator[pytest.Item]:
    of_file: dict[Path, list[pytest.Item]] = {}
    for item in items:
        if _is_long(item):
            of_file.setdefault(item.path, []).append(item)
    for alike in of_file.values():
        yield from (
            item
            for place, item in enumerate(alike)
            if place % SAMPLED or item.get_closest_marker("whole")
        )


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder shared by all processes of a test session."""
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


def once(folder: Path, make: Callable[[], Made]) -> Made:
    """Return what the first process makes; the others wait for it."""
    folder.mkdir(exist_ok=True)
    kept = folder / "made.pickle"
    with FileLock(folder / "lock"):
        if not kept.exists():
            kept.write_bytes(pickle.dumps(make()))
    made: Made = pickle.loads(kept.read_bytes())
    return made


@pytest.fixture(scope="session")
def default_command(shared: Path) -> tuple[Path, "subprocess.CompletedProcess[str]"]:
    """The README's first command: its working directory and its output."""
    folder, command = shared / "command", [sys.executable, "-m", "ckptcheck", "verify"]
    folder.mkdir(exist_ok=True)
    return folder, once(
        shared / "default-command",
        lambda: subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False),
    )


@pytest.fixture(scope="session")
def default_folder(default_command: tuple[Path, "subprocess.CompletedProcess[str]"]) -> Path:
    return default_command[0] / "ckptcheck-out" / "runs"


@pytest.fixture(scope="session")
def default_report(default_folder: Path) -> Report:
    """The six default cases, trained and restored in fresh processes on TensorFlow."""
    return judge_folder(default_folder)
