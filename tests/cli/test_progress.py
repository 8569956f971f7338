"""The progress that is shown while processes run."""

import contextlib
import io
import os
import pty
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ckptcheck.cli import progress
from ckptcheck.run.worker_pool import Event
from tests.command_line import CKPTCHECK
from tests.conftest import toy


def test_live_progress_on_a_terminal(tmp_path: Path) -> None:
    terminal, end = pty.openpty()
    command = [*CKPTCHECK, "verify", toy("Slow"), "--steps", "6"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=end,
        env=os.environ | {"TERM": "xterm"},
    ):
        os.close(end)
        seen = b""
        with contextlib.suppress(OSError):  # the terminal ends with the process
            while read := os.read(terminal, 4096):
                seen += read
    os.close(terminal)
    assert b"Traceback" not in seen
    for shown in ("starting the first processes", "Slow control", "Slow \u00d7 all", "4/6", "6/6"):
        assert shown.encode() in seen


@dataclass(frozen=True)
class Named:
    name: str


def shown(console: Console, done: int | None) -> None:
    """Show a run whose length is known only at its end."""
    events: list[tuple[str, dict[str, Any]]] = [
        ("submitted", {}),
        ("described", {"first": 0, "steps": None}),
        ("step", {"done": 7}),
        ("ended", {"trouble": None, "done": done}),
    ]
    with progress.ProgressView(console) as view:
        for kind, facts in events:
            view(Event(Named("train.py control"), kind, facts))


def test_steps_are_shown_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.0)
    written = io.StringIO()
    shown(Console(file=written, width=80), done=9)
    assert written.getvalue().splitlines() == [
        "ckptcheck: starting the first processes …",
        "ckptcheck: train.py control: step 7",
        "ckptcheck: train.py control done at step 9",
    ]


def test_steps_are_shown_now_and_then() -> None:
    written = io.StringIO()
    shown(Console(file=written, width=80), done=None)
    assert written.getvalue().splitlines() == [
        "ckptcheck: starting the first processes …",
        "ckptcheck: train.py control done",
    ]


@pytest.mark.parametrize(("done", "bar"), [(9, "✓ train.py control"), (None, "✓ train.py control")])
def test_a_run_of_unknown_length_ends_its_bar(done: int | None, bar: str) -> None:
    written = io.StringIO()
    shown(Console(file=written, width=80, force_terminal=True, color_system=None), done)
    assert bar in written.getvalue()
    assert ("9/9" in written.getvalue()) == (done == 9)


def test_what_is_to_come_is_said_once() -> None:
    output = io.StringIO()
    with progress.ProgressView(Console(file=output)) as view:
        view(Event(Named("train.py"), "planned", {"text": "7 restarts to try [all]"}))
    assert output.getvalue() == "ckptcheck: train.py: 7 restarts to try [all]\n"
