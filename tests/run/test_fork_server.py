"""The fork server: one line per event, and a fresh process per task."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ckptcheck.run.fork_server import LONGEST_LINE, LONGEST_TEXT, write_event
from ckptcheck.run.task import Task
from tests.planted_jobs import toy


def written(event: str, **facts: Any) -> dict[str, Any]:
    reading, writing = os.pipe()
    write_event(writing, 3, event, **facts)
    line = os.read(reading, 2 * LONGEST_LINE)
    for end in (reading, writing):
        os.close(end)
    assert len(line) <= LONGEST_LINE
    assert line.endswith(b"\n")
    event_read: dict[str, Any] = json.loads(line)
    return event_read


def test_an_event_is_a_line() -> None:
    assert written("step", done=5) == {"worker": 3, "event": "step", "done": 5}
    assert written("trouble", text="x" * 5000) == {
        "worker": 3,
        "event": "trouble",
        "text": "x" * LONGEST_TEXT,
    }
    assert written("described", restores=["x" * 5000]) == {
        "worker": 3,
        "event": "trouble",
        "text": f"its event 'described' is longer than {LONGEST_LINE} bytes",
    }


def test_a_task_is_carried_out_and_nothing_survives_the_parent(tmp_path: Path) -> None:
    """Its events come between `started` and `ended`, unmixed with its output."""
    task = Task(toy("Prints"), str(tmp_path), steps=12, boundaries=(6,))
    task.run_folder.mkdir()
    output = str(task.run_folder / "output.txt")
    request = {"worker": 1, "output": output, "entry": task.entry, "task": asdict(task)}
    server = subprocess.Popen(
        [sys.executable, "-m", "ckptcheck.run.fork_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(request).encode() + b"\n")
    server.stdin.flush()
    events = []
    for line in server.stdout:
        events.append(json.loads(line))
        if events[-1]["event"] == "ended":
            break
    kinds = [event["event"] for event in events if event["event"] != "step"]
    assert kinds == ["ready", "started", "described", "boundary", "ended"]
    assert events[-1]["status"] == 0
    assert events[1]["process"] != server.pid
    assert Path(output).read_text()
    server.stdin.close()
    assert server.wait(timeout=10) < 0
    server.stdout.close()
