"""Servers that die: their tasks end with a reason, other tasks go on, and no process is left."""

import os
import signal
import time
from pathlib import Path

from ckptcheck.run.task import CONTROL_HASH_SEED, RESUMED_HASH_SEED, Task
from ckptcheck.run.worker_pool import Event, Workers
from tests.conftest import toy


def task(name: str, folder: Path) -> Task:
    return Task(toy(name), str(folder / name), steps=21, boundaries=(9,))


def ended(events: list[Event]) -> dict[str, str | None]:
    return {
        event.task.job.rpartition(":")[2]: event.facts["trouble"]
        for event in events
        if event.kind == "ended"
    }


def has_exited(process: int) -> bool:
    """Return whether a killed process exits, or is a zombie, within 5 seconds."""
    until = time.monotonic() + 5
    stat = Path(f"/proc/{process}/stat")
    while time.monotonic() < until:
        try:
            if stat.read_text().split()[2] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


def test_a_killed_server(tmp_path: Path) -> None:
    events = []
    with Workers([], [CONTROL_HASH_SEED], 1, 60, tmp_path) as workers:
        workers.submit(task("Slow", tmp_path))
        workers.submit(task("Clean", tmp_path))
        for event in workers.events():
            events.append(event)
            if event.kind == "started":
                server = os.getpgid(event.facts["process"])
                os.kill(server, signal.SIGKILL)
    reason = (
        "the server that starts its process died (it was killed by SIGKILL; the kernel kills a process this way when "
        "memory runs out)"
    )
    assert ended(events) == {"Slow": reason, "Clean": reason}
    assert not Path(f"/proc/{server}").exists()
    process = next(event.facts["process"] for event in events if event.kind == "started")
    assert has_exited(process)


def test_a_task_for_a_dead_server(tmp_path: Path) -> None:
    """The server of the restores is killed while the control trains."""
    other = Task(
        toy("Clean"), str(tmp_path / "Clean"), restore="all", steps=21, boundaries=(9,), boundary=9
    )
    with Workers([], [CONTROL_HASH_SEED, RESUMED_HASH_SEED], 1, 60, tmp_path) as workers:
        workers.submit(task("Prints", tmp_path))
        events = []
        for event in workers.events():
            events.append(event)
            if event.kind == "started" and len(events) == 1:
                server = workers._servers[RESUMED_HASH_SEED]
                while not server.ready:
                    list(workers._received(server))
                server.process.kill()
                server.process.wait()
                list(workers._received(server))
                workers.submit(other)
    assert ended(events)["Prints"] is None
    assert "died (it was killed by SIGKILL" in str(ended(events)["Clean"])


def test_a_task_for_a_server_that_has_just_died(tmp_path: Path) -> None:
    with Workers([], [CONTROL_HASH_SEED], 2, 60, tmp_path) as workers:
        workers.submit(task("Clean", tmp_path))
        events = []
        for event in workers.events():
            events.append(event)
            if event.kind == "started" and len(events) == 1:
                server = workers._servers[CONTROL_HASH_SEED].process
                server.kill()
                server.wait()
                workers.submit(task("Prints", tmp_path))
    assert set(ended(events)) == {"Clean", "Prints"}
    assert "died" in str(ended(events)["Prints"])
