"""Runs that are interrupted, killed or silent leave nothing behind."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ckptcheck.errors import NotVerifiedError, UsageError
from tests.command_line import CKPTCHECK, TOY_RUN, call, run
from tests.conftest import toy
from tests.processes import default_sigint


def processes_under(folder: Path) -> list[str]:
    """Return the command lines of running processes that have files of a folder open."""
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit() and int(each.name) != os.getpid():
            try:
                links = [str(link.readlink()) for link in [each / "cwd", *(each / "fd").iterdir()]]
                command = (each / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
            if any(link.startswith(str(folder)) for link in links):
                found.append(command)
    return found


def wait_for(condition: Callable[[], object], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def slow_verification(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A verification in the middle of its control run."""
    command = [*CKPTCHECK, "verify", toy("Slow"), "--out", "out", "--steps", "200"]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=default_sigint,
    ) as process:
        try:
            assert wait_for(lambda: list(tmp_path.glob("out/.partial/runs/*/control/initial.npz")))
            # The command, two servers, the control, and the control without saves.
            assert wait_for(lambda: len(processes_under(tmp_path)) == 5), processes_under(tmp_path)
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("raised", "code", "sentence"),
    [
        (
            KeyboardInterrupt(),
            3,
            "Interrupted: nothing was verified, and no process is left behind.",
        ),
        (NotVerifiedError("The disk is full."), 3, "The disk is full."),
        (UsageError("There is no such restore."), 2, "There is no such restore."),
    ],
)
def test_which_outputs_are_written_without_a_report(
    raised: BaseException,
    code: int,
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr("ckptcheck.pipeline.verify", broken)
    (tmp_path / "page.html").write_text("earlier")
    outputs = ["--json", "--html", "page.html", "--junit", "j.xml", "--markdown", "r.md"]
    done = call("verify", toy("Clean"), *outputs, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.splitlines()[-1] == f"ckptcheck: {sentence}"
    assert sentence in (tmp_path / "j.xml").read_text()
    assert sentence in (tmp_path / "r.md").read_text()
    assert (tmp_path / "page.html").read_text() == "earlier"
    assert not (tmp_path / "ckptcheck-out").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted(number: int, slow_verification: subprocess.Popen[str], tmp_path: Path) -> None:
    slow_verification.send_signal(number)
    _, errors = slow_verification.communicate(timeout=90)
    assert slow_verification.returncode == 3
    assert errors.splitlines()[-1] == (
        "ckptcheck: Interrupted: nothing was verified, and no process is left behind."
    )
    assert wait_for(lambda: processes_under(tmp_path) == [])
    assert list(tmp_path.iterdir()) == []


def test_killed(slow_verification: subprocess.Popen[str], tmp_path: Path) -> None:
    slow_verification.kill()
    slow_verification.communicate(timeout=90)
    assert wait_for(lambda: processes_under(tmp_path) == [])
    done = run("verify", toy("Clean"), "--out", "out", *TOY_RUN, cwd=tmp_path)
    assert done.returncode == 0
    assert not (tmp_path / "out" / ".partial").exists()


def test_a_silent_process_is_killed_and_the_others_continue(tmp_path: Path) -> None:
    names = [toy("Hangs"), toy("ControlHangs"), toy("Clean")]
    done = run("verify", *names, "--timeout", "1", "--json", *TOY_RUN, cwd=tmp_path)
    assert done.returncode == 3
    silence = "it was silent for 1 s and was killed. Raise --timeout if its steps take longer."
    assert [(case["outcome"], case["reason"]) for case in json.loads(done.stdout)["cases"]] == [
        ("inconclusive", f"The resumed run did not finish: {silence}"),
        ("inconclusive", f"The control did not finish: {silence}"),
        ("recovered", None),
    ]
