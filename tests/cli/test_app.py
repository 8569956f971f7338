"""What all commands share: help, version, usage errors and Ctrl-C."""

import contextlib
import fcntl
import os
import signal
import subprocess
import termios
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import pytest

from tests.command_line import CKPTCHECK, TOY_RUN, call
from tests.conftest import toy


def test_a_value_that_is_not_a_number(tmp_path: Path) -> None:
    done = call("verify", "--steps", "many", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "ckptcheck: Invalid value for '--steps': "
    )  # the rest is the library's


def test_help_names_the_exit_codes(tmp_path: Path) -> None:
    for arguments in (["--help"], ["verify", "--help"]):
        text = " ".join(call(*arguments, cwd=tmp_path).stdout.split())
        assert (
            "0 every case is as expected; 1 a case is not; 2 the request is wrong; "
            "3 a case could not be verified." in text
        )


def test_version(tmp_path: Path) -> None:
    assert call("--version", cwd=tmp_path).stdout == "ckptcheck 0.1.0\n"


def shown_on_a_terminal(
    command: Sequence[str], folder: Path, press_ctrl_c_at: bytes | None = None
) -> tuple[int, str]:
    """Run a command that ignores SIGINT on its own terminal; return exit code and output."""
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
        with contextlib.suppress(OSError):  # the terminal ends with the process
            while part := os.read(ours, 4096):
                shown += part
                if press_ctrl_c_at and press_ctrl_c_at in shown:
                    os.write(ours, b"\x03")
                    press_ctrl_c_at = None
    os.close(ours)
    return process.returncode, shown.decode()


def test_ctrl_c_at_a_terminal_though_sigint_was_ignored(tmp_path: Path) -> None:
    command = [*CKPTCHECK, "verify", toy("Slow"), "--steps", "200"]
    code, shown = shown_on_a_terminal(command, tmp_path, press_ctrl_c_at=b"starting")
    assert code == 3
    assert shown.splitlines()[-1].endswith(
        "ckptcheck: Interrupted: nothing was verified, and no process is left behind."
    )


# A shell with job control, as an interactive one has: each job has its own process group.
IN_BACKGROUND = """
"$@" > out 2> errors &
until grep -q starting errors; do sleep 0.02; done
kill -INT $!
wait $!
"""


def test_a_job_in_the_background_keeps_ignoring_it(tmp_path: Path) -> None:
    command = [*CKPTCHECK, "verify", toy("Slow"), "--steps", "4"]
    code, shown = shown_on_a_terminal(["bash", "-mc", IN_BACKGROUND, "bash", *command], tmp_path)
    assert (code, (tmp_path / "errors").read_text().count("Interrupted")) == (0, 0), shown
    assert (tmp_path / "out").read_text().endswith("PASS: 1 of 1 case recovered.\n")


COMMANDS = [["-h"], ["verify", "-h"], ["jobs"], ["study"], ["explain"], ["explain", "--json"]]


def written_to(stdout: int, arguments: Sequence[str], folder: Path) -> tuple[int, str]:
    command = [*CKPTCHECK, *arguments]
    done = subprocess.run(
        command, cwd=folder, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_reader_who_has_gone_changes_no_exit_code(arguments: list[str], tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    assert written_to(write, arguments, tmp_path) == (0, "")
    os.close(write)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_full_disk_is_one_sentence(arguments: list[str], tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    assert written_to(full, arguments, tmp_path) == (
        3,
        "ckptcheck: Standard output cannot be written: No space left on device.\n",
    )
    os.close(full)


def test_a_reader_of_errors_who_has_gone_changes_no_exit_code(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [*CKPTCHECK, "verify", toy("Clean"), *TOY_RUN]
    done = subprocess.run(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=write, text=True, check=False
    )
    os.close(write)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (
        0,
        ["PASS: 1 of 1 case recovered."],
    )


def test_an_unexpected_error_does_not_exit_as_a_failed_case(tmp_path: Path) -> None:
    with mock.patch("ckptcheck.cli.study._list_studies", side_effect=RuntimeError("odd \x1b")):
        done = call("study", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert done.stderr.endswith("RuntimeError: odd \\x1b\n")


def test_a_broken_pipe_to_a_process_is_no_pass(tmp_path: Path) -> None:
    with mock.patch("ckptcheck.cli.study._list_studies", side_effect=BrokenPipeError):
        assert call("study", cwd=tmp_path).returncode == 3


def test_texts_of_the_library_end_with_a_full_stop(tmp_path: Path) -> None:
    errors = [call(*asked, cwd=tmp_path).stderr for asked in (["explain", "a", "b"], ["no-such"])]
    assert errors[0] == "ckptcheck: Got unexpected extra argument (b).\n"
    assert errors[1] == "ckptcheck: No such command 'no-such'.\n"


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["verify", "plain", "--rtol", "1", "--rtol", "0"], "--rtol"),
        (["verify", "plain", "--unsaved", "--no-unsaved"], "--unsaved"),
        (["judge", "out", "--expect", "recovered", "--expect", "refused"], "--expect"),
        (["study", "convergence", "--seeds", "1", "--seeds", "2"], "--seeds"),
        (["inspect", "ckpt", "--match", "a", "--match", "b"], "--match"),
    ],
)
def test_an_option_of_one_value_is_given_once(
    arguments: list[str], option: str, tmp_path: Path
) -> None:
    done = call(*arguments, cwd=tmp_path)
    sentence = f"ckptcheck: {option} was given twice. Give it once.\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", sentence)


def test_a_switch_may_be_repeated(tmp_path: Path) -> None:
    done = call("judge", "out", "-q", "-q", cwd=tmp_path)
    assert done.stderr.startswith("ckptcheck: out holds no runs of a verification")
