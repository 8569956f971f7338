"""Runs on an executor give the same records as runs on this machine."""

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from ckptcheck import NotVerifiedError, study, verify
from ckptcheck.run.dask import Place
from ckptcheck.studies import training
from tests.planted_jobs import SHORT, toy


def test_an_executor_gives_the_same_report() -> None:
    """A plain thread pool: only its `submit` is used."""
    jobs = [toy("Clean"), toy("StepLost"), toy("Missing"), toy("TurnsNaN")]
    with ThreadPoolExecutor(2) as pool:
        there = verify(jobs, executor=pool, **SHORT)
    here = verify(jobs, **SHORT)
    assert [case.document() for case in there.cases] == [case.document() for case in here.cases]


def test_every_restore_of_a_job_comes_back(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        report = verify(toy("TwoWays"), executor=pool, folder=tmp_path / "runs", **SHORT)
    assert [case.restore for case in report.cases] == ["all", "weights"]
    folder = tmp_path / "runs" / "clean-TwoWays"
    kept = {"control", "unsaved", "crash-image@9", "resumed-all@9", "resumed-weights@9"}
    assert {path.name for path in folder.iterdir()} == kept


class Loses(Executor):
    """An executor whose machines die of every task."""

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_exception(ConnectionResetError("the worker is gone"))
        return future


def test_a_lost_task_is_inconclusive() -> None:
    report = verify([toy("Clean"), toy("StepLost")], executor=Loses(), **SHORT)
    reason = (
        "The control did not finish: the executor could not run it (ConnectionResetError: the worker is gone). Install "
        "ckptcheck on its machines, with memory for one run on each of their threads."
    )
    assert [(case.outcome, case.reason) for case in report.cases] == [("inconclusive", reason)] * 2
    assert report.exit_code == 3


def test_a_study_keeps_the_runs_that_finish(tmp_path: Path) -> None:
    with pytest.raises(NotVerifiedError) as raised:
        study("bn-apis", seeds=1, epochs=1, executor=Loses(), folder=tmp_path)
    assert str(raised.value) == (
        "2 of 2 runs did not finish. The first, bn-nn seed 0: the executor could not run it (ConnectionResetError: the worker is "
        "gone). Install ckptcheck on its machines, with memory for one run on each of their threads. "
        "Finished runs are kept; the same command trains the rest."
    )


def test_a_machine_with_different_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine that trains has a different TensorFlow from this one."""
    monkeypatch.setattr(training, "versions", lambda: {"tensorflow": "1.15"})
    with ThreadPoolExecutor(1) as pool, pytest.raises(NotVerifiedError) as raised:
        study("bn-apis", "bn-nn", seeds=1, epochs=1, executor=pool, folder=tmp_path)
    assert str(raised.value) == (
        f"1 of 1 runs did not finish. The first, bn-nn seed 0: the worker has tensorflow {version('tensorflow')}, but the study "
        "was started with tensorflow 1.15. Install that version on the worker. Finished runs are kept; the same command trains "
        "the rest."
    )


class OneBadMachine(ThreadPoolExecutor):
    """The first of its machines cannot import TensorFlow."""

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> "Future[Any]":
        if not hasattr(self, "used"):
            self.used: Future[Any] = Future()
            self.used.set_exception(NotVerifiedError("tensorflow could not be imported there"))
            return self.used
        return super().submit(function, *arguments, **named)


def test_one_bad_machine_does_not_lose_other_runs() -> None:
    with OneBadMachine(1) as pool:
        report = verify([toy("StepLost"), toy("Clean")], executor=pool, **SHORT)
    assert [(case.outcome, case.reason) for case in report.cases] == [
        ("inconclusive", "The control did not finish: tensorflow could not be imported there."),
        ("recovered", None),
    ]


class NeverDone(Executor):
    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> "Future[Any]":
        self.future: Future[Any] = Future()
        return self.future


def test_a_lost_executor_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost() -> None:
        raise NotVerifiedError("no longer there")

    executor = NeverDone()
    monkeypatch.setattr("ckptcheck.run.dask.Place", lambda given: Place(given, lost))
    with pytest.raises(NotVerifiedError, match="no longer there"):
        verify(toy("Clean"), executor=executor, **SHORT)
    assert executor.future.cancelled()


def test_a_control_is_repeated_where_that_explains_more() -> None:
    with ThreadPoolExecutor(1) as executor:
        report = verify(
            [toy("HiddenInLastLoss"), toy("Jitters")],
            steps=21,
            boundaries=(5, 9),
            executor=executor,
        )
    assert [(case.outcome, case.noise is not None) for case in report.cases] == [
        ("diverged", True),
        ("diverged", True),
        ("inconclusive", True),
        ("inconclusive", True),
    ]
