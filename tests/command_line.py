"""Run commands in tests: in a new process, or in this one where they start no processes."""

import io
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

from ckptcheck.cli import main

CKPTCHECK = [sys.executable, "-m", "ckptcheck"]
TOY_RUN = ["--steps", "21", "--boundary", "9"]

Done = subprocess.CompletedProcess[str]


def run(*arguments: str, cwd: Path, **options: Any) -> Done:
    """Run a command in a new process."""
    return subprocess.run(
        [*CKPTCHECK, *arguments], cwd=cwd, capture_output=True, text=True, check=False, **options
    )


def call(*arguments: str, cwd: Path) -> Done:
    """Run a command that trains nothing in this process, which saves a second."""
    before = Path.cwd()
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    code: int | str | None = None
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as errors:
        os.chdir(cwd)
        try:
            with mock.patch.object(sys, "argv", ["ckptcheck", *arguments]):
                main()
        except SystemExit as leaving:
            code = leaving.code
        finally:
            os.chdir(before)
            for each, handler in handlers.items():
                signal.signal(each, handler)
    assert isinstance(code, int)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), errors.getvalue())
