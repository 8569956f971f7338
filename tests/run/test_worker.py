"""A task carried out in this process: errors of the request are emitted, the job's recorded."""

import errno
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ckptcheck import NotVerifiedError, UsageError
from ckptcheck.run.folder import read
from ckptcheck.run.run import Run
from ckptcheck.run.task import Task
from ckptcheck.run.worker import exit_status, main
from tests.planted_jobs import toy

Emitted = list[tuple[str, dict[str, Any]]]


def carried_out(task: Task) -> tuple[int, Emitted]:
    task.run_folder.mkdir(parents=True)
    emitted: Emitted = []
    status = main(task, lambda event, **facts: emitted.append((event, facts)))
    return status, [(event, facts) for event, facts in emitted if event != "step"]


def control(name: str, folder: Path, **changes: Any) -> Task:
    return replace(Task(toy(name), str(folder), steps=12, boundaries=(6,)), **changes)


def resumed(name: str, folder: Path, restore: str = "all") -> Task:
    return control(name, folder, restore=restore, boundary=6)


def test_a_control_and_its_resumed_run(tmp_path: Path) -> None:
    described = {"restores": ["all"], "steps": 12, "boundaries": [6]}
    assert carried_out(control("Clean", tmp_path)) == (
        0,
        [("described", described | {"first": 0}), ("boundary", {"boundary": 6})],
    )
    assert carried_out(resumed("Clean", tmp_path)) == (0, [("described", described | {"first": 6})])
    whole, rest = read(tmp_path / "control"), read(tmp_path / "resumed-all@6")
    assert (whole.facts.role, rest.facts.role) == ("control", "resumed")
    assert whole.facts.seed != rest.facts.seed
    assert rest.losses == whole.losses[6:]
    assert rest.facts.finished


def test_a_wrong_request(tmp_path: Path) -> None:
    assert carried_out(control("NotThere", tmp_path / "a"))[0] == 2
    carried_out(control("Clean", tmp_path / "b"))
    status, emitted = carried_out(resumed("Clean", tmp_path / "b", "some"))
    assert (status, emitted[-1]) == (2, ("usage", {"text": f"{toy('Clean')} has no restore some."}))
    assert not (tmp_path / "b" / "resumed-some@6" / "run.json").exists()


def failed(name: str, folder: Path) -> Run:
    assert carried_out(control(name, folder))[0] == 0
    assert carried_out(resumed(name, folder))[0] == 0
    return read(folder / "resumed-all@6")


def test_an_exception_of_the_job_is_located(tmp_path: Path) -> None:
    failure = failed("Missing", tmp_path).facts.failure
    assert failure is not None
    assert (failure.during, failure.step) == ("restore", None)
    assert re.fullmatch(r"\w+\.py:\d+", failure.place or "")


def raising(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "status", "event", "text"),
    [
        (UsageError("no"), 2, "usage", "no"),
        (NotVerifiedError("not now"), 3, "trouble", "not now"),
        (MemoryError(), 3, "trouble", "it ran out of memory"),
        (OSError(errno.ENOSPC, "full"), 3, "trouble", f"it reached a limit of the machine: {os.strerror(errno.ENOSPC)}"),
        (RuntimeError(f"framework: {os.strerror(errno.EROFS)}"), 3, "trouble", "it reached a limit of the machine: Read-only file system"),
        (KeyError("k"), 3, "trouble", "it could not be set up: KeyError: 'k' (test_worker.py:{line})"),
    ],
)  # fmt: skip
def test_an_error_is_emitted_with_an_exit_status(
    error: BaseException, status: int, event: str, text: str
) -> None:
    emitted: Emitted = []
    line = raising.__code__.co_firstlineno + 2
    assert (
        exit_status(raising(error), lambda kind, **facts: emitted.append((kind, facts))) == status
    )
    assert emitted == [(event, {"text": text.replace("{line}", str(line))})]


def test_success_emits_nothing() -> None:
    assert exit_status(lambda: None, lambda kind, **facts: pytest.fail(kind)) == 0
