"""The seam to other machines: what runs there comes back as if it had run here."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from ckptcheck import NotVerifiedError, UsageError, study, verify
from ckptcheck.run import dask as executors
from ckptcheck.run.dask import Place, opened
from ckptcheck.run.worker_pool import Event
from ckptcheck.studies import training
from tests.clusters import address_of, local_cluster
from tests.commands import run
from tests.planted_jobs import PLANTED, SHORT, toy


def test_an_executor_gives_what_this_machine_gives() -> None:
    """A plain thread pool: nothing of it but `submit` is needed."""
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
    """An executor whose machines die of everything that is handed to them."""

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_exception(ConnectionResetError("the worker is gone"))
        return future


def test_what_an_executor_loses_is_inconclusive() -> None:
    report = verify([toy("Clean"), toy("StepLost")], executor=Loses(), **SHORT)
    reason = (
        "The control did not finish: the executor could not run it (ConnectionResetError: the worker is gone); its machines need "
        "ckptcheck installed, and memory for one run on each of their threads."
    )
    assert [(case.outcome, case.reason) for case in report.cases] == [("inconclusive", reason)] * 2
    assert report.exit_code == 3


def test_a_study_that_loses_a_run_keeps_the_others(tmp_path: Path) -> None:
    with pytest.raises(NotVerifiedError) as raised:
        study("bn-apis", seeds=1, epochs=1, executor=Loses(), folder=tmp_path)
    assert str(raised.value) == (
        "2 of 2 runs did not finish, bn-nn seed 0 for one: the executor could not run it (ConnectionResetError: the worker is "
        "gone); its machines need ckptcheck installed, and memory for one run on each of their threads. "
        "Those that finished are kept; the same command trains the others."
    )


def test_a_machine_with_other_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this machine, which asks, had another TensorFlow than that which trains."""
    monkeypatch.setattr(training, "versions", lambda: {"tensorflow": "1.15"})
    with ThreadPoolExecutor(1) as pool, pytest.raises(NotVerifiedError) as raised:
        study("bn-apis", "bn-nn", seeds=1, epochs=1, executor=pool, folder=tmp_path)
    assert str(raised.value) == (
        f"1 of 1 runs did not finish, bn-nn seed 0 for one: its machine has tensorflow {version('tensorflow')}, whoever asked for "
        "the run has 1.15: install the same there. Those that finished are kept; the same command trains the others."
    )


class OneBadMachine(ThreadPoolExecutor):
    """The first of its machines cannot import TensorFlow."""

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> "Future[Any]":
        if not hasattr(self, "used"):
            self.used: Future[Any] = Future()
            self.used.set_exception(NotVerifiedError("tensorflow could not be imported there"))
            return self.used
        return super().submit(function, *arguments, **named)


def test_one_bad_machine_does_not_lose_what_the_others_finished() -> None:
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


def test_an_executor_that_is_lost_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost() -> None:
        raise NotVerifiedError("no longer there")

    executor = NeverDone()
    monkeypatch.setattr("ckptcheck.run.dask.Place", lambda given: Place(given, lost))
    with pytest.raises(NotVerifiedError, match="no longer there"):
        verify(toy("Clean"), executor=executor, **SHORT)
    assert executor.future.cancelled()


# ---- a Dask cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with local_cluster() as made:
        yield made


@pytest.fixture
def address(cluster: Any) -> str:
    return address_of(cluster)


def test_verify_on_a_cluster(address: str, tmp_path: Path) -> None:
    """From a directory that the workers do not start in: a job's relative path is that of whoever asks."""
    for name in ("base.py", "planting.py", "tensors.py", "clean.py"):
        shutil.copy(PLANTED / name, tmp_path)
    command = [
        "verify",
        "base.py:Clean",
        "tensors.py:StepLost",
        "--expect",
        "recovered",
        "--restore",
        "all",
        "--executor",
        address,
    ]
    done = run(*command, "--steps", "21", "--boundary", "9", "--json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    cases = json.loads(done.stdout)["cases"]
    assert [(case["job"], case["outcome"]) for case in cases] == [
        ("base.py:Clean", "recovered"),
        ("tensors.py:StepLost", "diverged"),
    ]
    each = ("control", "control unsaved", "× all")
    finished = [f"{job} {what}" for job in ("base.py:Clean", "tensors.py:StepLost") for what in each]
    assert sorted(done.stderr.splitlines()[1:7]) == [f"ckptcheck: {name} done" for name in finished]


def test_study_on_a_cluster(address: str, tmp_path: Path) -> None:
    """Two variants on two workers: the runs are those of this machine, to the last bit, and are kept here."""
    events: list[Event] = []
    there = study("bn-apis", seeds=1, epochs=2, executor=address, folder=tmp_path, watch=events.append)
    assert len({event.facts["process"] for event in events if event.kind == "started"}) == 2
    here = study("bn-apis", seeds=1, epochs=2)
    assert there.epochs().equals(here.epochs())
    assert len(list(tmp_path.glob("*/run.json"))) == 2


def test_a_worker_that_dies(cluster: Any, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that takes its worker with it, wherever it is tried: told, and the cluster goes on."""
    monkeypatch.setattr(executors, "WITHOUT_WORKERS", 120.0)  # a busy machine takes its time to start others
    with opened(address) as place:
        assert place is not None
        future = place.executor.submit(sys.exit, 1)
        with pytest.raises(BaseException):  # noqa: B017  # Dask passes on what the task raised
            future.result(timeout=120)
    assert verify(toy("Clean"), executor=address, **SHORT).verdict == "pass"


def test_a_scheduler_that_dies(tmp_path: Path) -> None:
    """In the middle of a run: one sentence and no traceback, and no process of the run is left."""
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    where = tmp_path / "scheduler.json"
    scheduler = subprocess.Popen([*dask, "--scheduler-file", str(where)], stderr=subprocess.DEVNULL, cwd=tmp_path)
    try:
        host = json.loads(eventually(where.read_text))["address"].removeprefix("tcp://")
        command = ["study", "bn-apis", "--seeds", "1", "--executor", f"dask://{host}"]
        client = subprocess.Popen(
            [sys.executable, "-m", "ckptcheck", *command],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
            stdout=subprocess.PIPE,
        )
        assert client.stderr is not None
        assert client.stderr.readline() == "ckptcheck: starting; TensorFlow takes some seconds to import …\n"
        time.sleep(0.5)
    finally:
        scheduler.kill()
        scheduler.wait()
    printed, errors = client.communicate(timeout=60)
    assert (client.returncode, printed) == (3, "")
    assert errors.splitlines()[-1] == (
        "ckptcheck: 2 of 2 runs did not finish, bn-nn seed 0 for one: the executor has it no longer: its machines, or the "
        "connection to them, were lost. Those that finished are kept; the same command trains the others."
    )
    assert "Traceback" not in errors


def eventually(read: Callable[[], str]) -> str:
    until = time.monotonic() + 30
    while True:
        try:
            if text := read():
                return text
        except FileNotFoundError:
            pass
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_cluster_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "WITHOUT_WORKERS", 0.5)
    with local_cluster(workers=0) as empty:
        address = address_of(empty)
        with pytest.raises(NotVerifiedError) as raised:
            verify(toy("Clean"), executor=address, **SHORT)
    host = address.removeprefix("dask://")
    assert str(raised.value) == (
        f"The Dask cluster at {host} has had no workers for 0.5 s. Start some with `dask worker {host}`."
    )


def test_nobody_at_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "CONNECT_TIMEOUT", 0.5)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(NotVerifiedError) as raised:
            verify(toy("Clean"), executor=f"dask://{host}", **SHORT)
    assert str(raised.value) == (
        f"No Dask scheduler answers at {host}: Timed out trying to connect to tcp://{host} after 0.5 s. "
        "Is it running, and is this its address?"
    )


@pytest.mark.parametrize("address", ["", "dask://", "dask://host", "tcp://host:1", "dask://host:port", "ray://host:1"])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(UsageError) as raised:
        verify(toy("Clean"), executor=address)
    assert str(raised.value) == (
        f"An executor is given as dask://HOST:PORT, the address of a Dask scheduler, not {address!r}."
    )


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError) as raised:
        verify(toy("Clean"), executor="dask://localhost:8786")
    assert str(raised.value) == (
        "dask://localhost:8786 needs the package distributed, which is not installed: pip install 'ckptcheck[dask]'."
    )


def test_a_job_is_repeated_where_that_can_tell() -> None:
    with ThreadPoolExecutor(1) as executor:
        report = verify([toy("HiddenInLastLoss"), toy("Jitters")], steps=21, boundaries=(5, 9), executor=executor)
    assert [(case.outcome, case.noise is not None) for case in report.cases] == [
        ("diverged", True),
        ("diverged", True),
        ("inconclusive", True),
        ("inconclusive", True),
    ]
