"""Completion in the shell: what is offered, and how fast, in the way that click's scripts ask for it."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

FILE = "class Train(FitJob):\n    restores = ('keras', 'weights')\nclass Other(FitJob): ...\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(FILE)
    (tmp_path / "data.txt").touch()
    (tmp_path / "package").mkdir()
    return tmp_path


def completed(folder: Path, *words: str) -> list[str]:
    """Return what bash is offered for the last word."""
    environment = os.environ | {
        "_CKPTCHECK_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["ckptcheck", *words]),
        "COMP_CWORD": str(len(words)),
    }
    code = "import sys; sys.argv = ['ckptcheck']; from ckptcheck.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ver"], ["verify"]),
        (["verify", "bn-"], ["bn-nn", "bn-layers", "bn-polyak", "bn-torch"]),
        (["verify", "tr"], ["train.py"]),
        (["verify", "pa"], ["package/"]),
        (["verify", "train.py", ":"], ["Train", "Other"]),
        (["verify", "train.py", ":", "Tr"], ["Train"]),
        (["verify", "bn-nn", "--restore", "ema"], ["ema", "ema-none"]),
        (["verify", "train.py", ":", "Train", "--restore", "w"], ["weights"]),
        (["verify", "--allow", "slots-l"], ["slots-lost"]),
        (["verify", "--expect", "re"], ["recovered", "refused"]),
        (["verify", "--suite", "k"], ["keras"]),
        (["drill", "--suite", "s"], ["savers"]),
        (["drill", "--only", "dc"], ["dcp", "dcp-fixed"]),
        (["verify", "torch/sh"], ["torch/shuffle", "torch/shuffle-fixed"]),
        (["explain", "slots-l"], ["slots-lost"]),
        (["explain", "slots-lost", "--framework", "t"], ["tf1", "tf2", "torch"]),
        (["study", "c"], ["convergence"]),
        (["verify", "--bound"], ["--boundary", "--boundaries"]),
    ],
)
def test_what_is_offered(words: list[str], offered: list[str], folder: Path) -> None:
    began = time.monotonic()
    assert completed(folder, *words) == offered
    assert time.monotonic() - began < 5  # typically 0.1 s; the machine may be busy


def test_it_loads_no_framework_and_no_tables(folder: Path) -> None:
    code = """
import atexit, os, sys
os.environ |= {"_CKPTCHECK_COMPLETE": "bash_complete", "COMP_WORDS": "ckptcheck verify --allow ", "COMP_CWORD": "3"}
sys.argv = ["ckptcheck"]
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
from ckptcheck.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert not {"pandas", "matplotlib", "tensorflow", "keras"} & set(done.stderr.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str, folder: Path) -> None:
    code = "import sys; sys.argv = ['ckptcheck']; from ckptcheck.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"_CKPTCHECK_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"_CKPTCHECK_COMPLETE={shell}_complete" in done.stdout
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=done.stdout, text=True, check=True)
