"""A Dask cluster by its address: its runs, and the errors of a lost, empty or missing one."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ckptcheck import NotVerifiedError, UsageError, study, verify
from ckptcheck.run import dask
from ckptcheck.run.dask import opened
from ckptcheck.run.worker_pool import Event
from tests.clusters import address_of, local_cluster
from tests.command_line import run
from tests.planted_jobs import PLANTED, SHORT, toy


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with local_cluster() as made:
        yield made


@pytest.fixture
def address(cluster: Any) -> str:
    return address_of(cluster)


def test_verify_on_a_cluster(address: str, tmp_path: Path) -> None:
    """A job's relative path starts at this process's directory, not at the workers'."""
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
    finished = [
        f"{job} {what}" for job in ("base.py:Clean", "tensors.py:StepLost") for what in each
    ]
    assert sorted(done.stderr.splitlines()[1:7]) == [f"ckptcheck: {name} done" for name in finished]


def test_study_on_a_cluster(address: str, tmp_path: Path) -> None:
    """Two variants on two workers: equal to runs on this machine bit for bit, and kept here."""
    events: list[Event] = []
    there = study(
        "bn-apis", seeds=1, epochs=1, executor=address, folder=tmp_path, watch=events.append
    )
    assert len({event.facts["process"] for event in events if event.kind == "started"}) == 2
    here = study("bn-apis", seeds=1, epochs=1)
    assert there.epochs().equals(here.epochs())
    assert len(list(tmp_path.glob("*/run.json"))) == 2


def test_a_worker_that_dies(cluster: Any, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that kills every worker it runs on is reported, and the cluster goes on."""
    # A busy machine is slow to start new workers.
    monkeypatch.setattr(dask, "WITHOUT_WORKERS", 120.0)
    with opened(address) as place:
        assert place is not None
        future = place.executor.submit(sys.exit, 1)
        with pytest.raises(BaseException):  # noqa: B017  # Dask passes on what the task raised
            future.result(timeout=120)
    assert verify(toy("Clean"), executor=address, **SHORT).verdict == "pass"


def test_a_scheduler_that_dies(tmp_path: Path) -> None:
    """A scheduler dies in mid-run: one sentence, no traceback."""
    scheduler_command = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--no-dashboard",
    ]
    where = tmp_path / "scheduler.json"
    scheduler = subprocess.Popen(
        [*scheduler_command, "--scheduler-file", str(where)],
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
    )
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
        assert client.stderr.readline() == "ckptcheck: starting the first processes …\n"
        time.sleep(0.5)
    finally:
        scheduler.kill()
        scheduler.wait()
    printed, errors = client.communicate(timeout=60)
    assert (client.returncode, printed) == (3, "")
    assert errors.splitlines()[-1] == (
        "ckptcheck: 2 of 2 runs did not finish. The first, bn-nn seed 0: the executor cancelled it: its machines, or the "
        "connection to them, were lost. Finished runs are kept; the same command trains the rest."
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
    monkeypatch.setattr(dask, "WITHOUT_WORKERS", 0.5)
    with local_cluster(workers=0) as empty:
        address = address_of(empty)
        with pytest.raises(NotVerifiedError) as raised:
            verify(toy("Clean"), executor=address, **SHORT)
    host = address.removeprefix("dask://")
    assert str(raised.value) == (
        f"The Dask cluster at {host} has had no workers for 0.5 s. Start some with `dask worker {host}`."
    )


def test_no_scheduler_at_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "CONNECT_TIMEOUT", 0.5)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(NotVerifiedError) as raised:
            verify(toy("Clean"), executor=f"dask://{host}", **SHORT)
    assert str(raised.value) == (
        f"No Dask scheduler answers at {host}: Timed out trying to connect to tcp://{host} after 0.5 s. "
        "Check the address, or start the scheduler with `dask scheduler`."
    )


@pytest.mark.parametrize(
    "address", ["", "dask://", "dask://host", "tcp://host:1", "dask://host:port", "ray://host:1"]
)
def test_invalid_addresses(address: str) -> None:
    with pytest.raises(UsageError) as raised:
        verify(toy("Clean"), executor=address)
    assert str(raised.value) == (
        f"The executor {address!r} is not the address of a Dask scheduler. Write dask://HOST:PORT."
    )


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(NotVerifiedError) as raised:
        verify(toy("Clean"), executor="dask://localhost:8786")
    assert str(raised.value) == (
        "The executor dask://localhost:8786 needs the package distributed, which is not installed. "
        "Install it: pip install 'ckptcheck[dask]'"
    )
