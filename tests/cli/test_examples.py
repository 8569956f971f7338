"""Every example in the help is run."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ckptcheck.cli.app import app
from ckptcheck.cli.grouped import GroupedCommand
from tests.command_line import call, run
from tests.documents import FILES, FIXED, shortened

FILES_OF_KERAS = """
import keras, tensorflow as tf
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
for name in ("model", "exported"):
    model.save(f"{name}.keras")
checkpoint = tf.train.Checkpoint(model=model)
manager = tf.train.CheckpointManager(checkpoint, "checkpoints", max_to_keep=None)
for _ in range(2):
    manager.save()
    model.layers[0].bias.assign([1.0, 1.0])
"""
COMMANDS = {name: each for name, each in app.commands.items() if isinstance(each, GroupedCommand)}
EXAMPLES = [line for command in COMMANDS.values() for line, _ in command.examples]
# One that is to find something.
FAILS = ("diff ", "drill ", "judge ckptcheck-out", "compare control resumed")


def test_each_command_has_three() -> None:
    assert set(COMMANDS) == set(app.commands)
    assert {name: len(command.examples) for name, command in COMMANDS.items()} == dict.fromkeys(
        COMMANDS, 3
    )


def test_they_stand_in_the_help(tmp_path: Path) -> None:
    for name, command in COMMANDS.items():
        shown = call(name, "-h", cwd=tmp_path).stdout.partition("Examples:\n")[2]
        assert [line.strip() for line in shown.splitlines() if line.startswith("    ")] == [
            f"ckptcheck {line}" for line, _ in command.examples
        ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the examples assume it: jobs, checkpoints, two recorded runs, a verification."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "train.py").write_text(FIXED["train.py"])
    (folder / "fit.py").write_text(FILES["fit.py"])
    subprocess.run([sys.executable, "-c", FILES_OF_KERAS], cwd=folder, check=True)
    done = run("verify", "fit.py", cwd=folder)
    assert done.returncode == 1, done.stderr
    (runs,) = (folder / "ckptcheck-out" / "runs").glob("*/")
    shutil.copytree(runs / "control", folder / "control")
    shutil.copytree(runs / "resumed-weights@16", folder / "resumed")
    return folder


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(
            each,
            marks=[pytest.mark.cards] * each.startswith(("study c", "verify", "drill"))
            + [pytest.mark.whole] * each.startswith("drill"),
        )
        for each in EXAMPLES
    ],
)
def test_it_runs(line: str, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    line = shortened(line) if line.startswith("study c") else line
    if line.startswith("drill") and "--points" not in line:
        line = line.replace("drill", "drill --points mid", 1)
    arguments = shlex.split(re.sub(r" > \S+$", "", line))
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode in ((0, 1) if line.startswith(FAILS) else (0,)), done.stderr
    assert done.stdout
