"""Every command and code block of the README is run, and what it shows is compared with what is printed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ckptcheck.job.shipped import registry
from tests.clusters import address_of, local_cluster
from tests.documents import (
    BLOCKS,
    CI,
    CLUSTERS,
    COMMANDS,
    FILES,
    FIRST,
    PYTHON,
    RUN_BY_CI,
    SHELL,
    SUITES,
    WORKFLOWS,
    Block,
    masked,
    shown_by,
)

# The same command, for a minute rather than a quarter of an hour: the last value of an option counts.
SHORTENED = " --seeds 1 --epochs 1"


def shell(command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command in a folder that has the README's scripts."""
    for name, text in FILES.items():
        (folder / name).write_text(text)
    command = re.sub(r"(^|&& )python ", rf"\g<1>{sys.executable} ", command)
    return subprocess.run(
        command, shell=True, cwd=folder, capture_output=True, text=True, check=False
    )


def first_line(block: Block) -> str:
    return block.lines[0]


# So that the last cores to be free are free at once.
LONG_FIRST = sorted(COMMANDS, key=lambda block: -len(block.lines))
# Studies take their time: `python -m pytest -m cards` runs them, as .ci/run does.
MARKED = [
    pytest.param(each, marks=[pytest.mark.cards] * any(" study " in line for line in each.lines))
    for each in LONG_FIRST
]


@pytest.mark.parametrize("block", MARKED, ids=first_line)
def test_commands(block: Block, tmp_path: Path) -> None:
    printed = ""
    for command in [line for line in block.lines if line not in RUN_BY_CI]:
        done = shell(command + SHORTENED * (" study " in command), tmp_path)
        assert done.returncode == ("exit code 1" in command), done.stdout + done.stderr
        printed += done.stdout
    for inspected in re.findall(r" inspect (\S+)", block.text):
        printed += of_a_copy(tmp_path, inspected)
    for shown in shown_by(block):
        assert masked(shown) in masked(printed)


def of_a_copy(folder: Path, original: str) -> str:
    """Copy the folder that was inspected, with the path of the original in its state file; return what fsck says of it."""
    shutil.copytree(folder / original, folder / "copy")
    state = folder / "copy" / "checkpoint"
    state.write_text(state.read_text().replace('"model', '"/gone/model'))
    done = shell("python -m ckptcheck fsck copy", folder)
    assert done.returncode == 1
    return done.stdout


@pytest.mark.parametrize(
    "block", [block for block in SHELL if FIRST in block.lines[0].split(" && ")], ids=first_line
)
def test_the_first_command(
    block: Block, default_command: "tuple[Path, subprocess.CompletedProcess[str]]"
) -> None:
    for shown in shown_by(block):
        assert masked(shown) in masked(default_command[1].stdout)


@pytest.mark.parametrize("block", WORKFLOWS, ids=first_line)
def test_workflow(block: Block, tmp_path: Path) -> None:
    """What it runs once it has checked out and installed."""
    (command,) = re.findall(r"- run: (python .*)", block.text)
    done = shell(command, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "junit.xml").is_file()


@pytest.mark.parametrize("block", CLUSTERS, ids=first_line)
def test_on_a_cluster(block: Block, tmp_path: Path) -> None:
    (command,) = block.lines
    with local_cluster() as cluster:
        done = shell(command.replace("dask://localhost:8786", address_of(cluster)), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "PASS: each case did what was expected of it." in done.stdout


@pytest.mark.parametrize("block", PYTHON, ids=first_line)
def test_python(block: Block, tmp_path: Path) -> None:
    (tmp_path / "ci.py").write_text(block.text)
    done = shell("python ci.py", tmp_path)
    assert done.returncode == 0, done.stderr


def test_every_block_is_run() -> None:
    """What is not run by the tests above is run by CI or with the report cards, or belongs to a command that is."""
    assert {block.kind for block in BLOCKS} <= {"sh", "python", "text", "yaml"}
    commands = [line for block in SHELL for line in block.lines]
    assert set(commands) >= RUN_BY_CI
    assert all(part in CI for command in RUN_BY_CI for part in command.split(" && "))
    run_by_recipes = {f"python -m ckptcheck verify --suite {suite}" for suite in registry().suites}
    assert {line for block in SUITES for line in block.lines} <= run_by_recipes
    assert all(any(name in command for command in commands) for name in FILES)
    shown = [text for block in SHELL for text in shown_by(block)]
    assert sorted(shown) == sorted(block.text for block in BLOCKS if block.kind == "text")


def test_a_script_fits_on_a_screen() -> None:
    assert all(len(text.splitlines()) <= 31 for text in FILES.values())
