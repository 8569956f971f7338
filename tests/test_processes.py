"""Servers that die: their tasks end with a reason, the others go on, and nobody is left."""

import os
import signal
from pathlib import Path

from conftest import toy

from ckptcheck.processes import CONTROL_HASH_SEED, Event, Workers
from ckptcheck.worker import Task


def task(name: str, folder: Path) -> Task:
    return Task(toy(name), str(folder / name), str(folder / f"{name}-image"), steps=21, boundary=9)


def ended(events: list[Event]) -> dict[str, str | None]:
    return {event.name: event.facts["trouble"] for event in events if event.kind == "ended"}


def test_a_server_that_is_killed(tmp_path: Path) -> None:
    events = []
    with Workers([], 1, 60, tmp_path) as workers:
        workers.submit("first", task("Slow", tmp_path))
        workers.submit("queued", task("Clean", tmp_path))
        for event in workers.events():
            events.append(event)
            if event.kind == "started":
                server = os.getpgid(event.facts["process"])
                os.kill(server, signal.SIGKILL)
    reason = (
        "the server that starts its process was lost (it was killed by SIGKILL; the kernel ends a process in this way when "
        "memory runs out)"
    )
    assert ended(events) == {"first": reason, "queued": reason}
    assert not Path(f"/proc/{server}").exists()
    process = next(event.facts["process"] for event in events if event.kind == "started")
    assert not Path(f"/proc/{process}").exists() or "Z" in Path(f"/proc/{process}/stat").read_text().split()[2]


def test_an_order_to_a_server_that_has_just_died(tmp_path: Path) -> None:
    with Workers([], 2, 60, tmp_path) as workers:
        workers.submit("first", task("Clean", tmp_path))
        events = []
        for event in workers.events():
            events.append(event)
            if event.kind == "started" and len(events) == 1:
                server = workers._servers[CONTROL_HASH_SEED].process
                server.kill()
                server.wait()
                workers.submit("late", task("Prints", tmp_path))
    assert set(ended(events)) == {"first", "late"}
    assert "was lost" in str(ended(events)["late"])
