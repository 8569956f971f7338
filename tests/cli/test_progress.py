"""The progress that is shown while processes run."""

import contextlib
import os
import pty
import subprocess
from pathlib import Path

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
