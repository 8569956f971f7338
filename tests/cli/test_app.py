"""What all commands share: help, version, wrong requests, and Ctrl-C."""

import contextlib
import fcntl
import os
import signal
import subprocess
import termios
from collections.abc import Sequence
from pathlib import Path

from tests.commands import CKPTCHECK, call
from tests.conftest import toy


def test_value_that_is_no_number(tmp_path: Path) -> None:
    done = call("verify", "--steps", "many", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "ckptcheck: Invalid value for '--steps': "
    )  # the rest is the library's


def test_help_names_the_exit_codes(tmp_path: Path) -> None:
    for arguments in (["--help"], ["verify", "--help"]):
        text = " ".join(call(*arguments, cwd=tmp_path).stdout.split())
        assert (
            "0 each case did what was expected; 1 a case did not; 2 the request itself is wrong; 3 it could"
            in text
        )


def test_version(tmp_path: Path) -> None:
    assert call("--version", cwd=tmp_path).stdout == "ckptcheck 0.1.0\n"


def shown_on_a_terminal(
    command: Sequence[str], folder: Path, press_ctrl_c_at: bytes | None = None
) -> tuple[int, str]:
    """Give a command that ignores SIGINT at a terminal of its own; return its exit code and what the terminal shows."""
    ours, theirs = os.openpty()

    def take_the_terminal() -> None:
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=take_the_terminal,
    ) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the terminal is gone when the process is
            while part := os.read(ours, 4096):
                shown += part
                if press_ctrl_c_at and press_ctrl_c_at in shown:
                    os.write(ours, b"\x03")
                    press_ctrl_c_at = None
    os.close(ours)
    return process.returncode, shown.decode()


def test_ctrl_c_at_a_terminal_where_it_was_to_be_ignored(tmp_path: Path) -> None:
    command = [*CKPTCHECK, "verify", toy("Slow"), "--steps", "200"]
    code, shown = shown_on_a_terminal(command, tmp_path, press_ctrl_c_at=b"starting")
    assert code == 3
    assert shown.splitlines()[-1].endswith(
        (
            "ckptcheck: Interrupted: nothing was verified, no report was written, and no "
            "process is left behind."
        )
    )


# A shell that gives its jobs process groups of their own, as one does that a person types into.
IN_BACKGROUND = """
"$@" > out 2> errors &
until grep -q starting errors; do sleep 0.02; done
kill -INT $!
wait $!
"""


def test_a_job_in_the_background_goes_on_ignoring_it(tmp_path: Path) -> None:
    command = [*CKPTCHECK, "verify", toy("Slow"), "--steps", "4"]
    code, shown = shown_on_a_terminal(["bash", "-mc", IN_BACKGROUND, "bash", *command], tmp_path)
    assert (code, (tmp_path / "errors").read_text().count("Interrupted")) == (0, 0), shown
    assert (tmp_path / "out").read_text().endswith("PASS: 1 of 1 case recovered.\n")
