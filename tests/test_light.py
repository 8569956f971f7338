"""What works without a framework, and what is said where one is missing.

Each command runs in a process in which no framework can be imported. `.ci/run` runs the same tests in an environment that
has only the package's own dependencies: there they also show that none of these is missing.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.checkpoints.bundles import write
from tests.checkpoints.keras.files import archive, weights
from tests.command_line import CKPTCHECK, TOY_RUN, Done
from tests.planted_jobs import toy

HIDING = """
import importlib.machinery, sys

class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = name.partition(".")[0] in ("keras", "tensorflow", "tf_keras", "torch")
        return None if hidden else super().find_spec(name, path, target)

sys.meta_path[:] = [Finder if each is importlib.machinery.PathFinder else each for each in sys.meta_path]
"""
INSTALL = (
    f"is not installed for {sys.executable}. Install it: pip install 'ckptcheck[tensorflow]'\n"
)

Call = Callable[..., Done]


@pytest.fixture
def python(tmp_path: Path) -> Call:
    hiding = tmp_path / "hiding"
    hiding.mkdir()
    (hiding / "sitecustomize.py").write_text(HIDING)
    path = os.pathsep.join(filter(None, [str(hiding), os.environ.get("PYTHONPATH", "")]))
    environment = os.environ | {"PYTHONPATH": path}

    def call(*command: str) -> Done:
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return call


@pytest.fixture
def ckptcheck(python: Call) -> Call:
    return lambda *arguments: python(*CKPTCHECK, *arguments)


def test_checkpoint_files(ckptcheck: Call, tmp_path: Path) -> None:
    write(tmp_path / "bundle", {"weights": np.arange(3.0)})
    files = [tmp_path / "bundle", archive(tmp_path / "m.keras"), weights(tmp_path / "m.weights.h5")]
    for file in files:
        for command in (["inspect"], ["fsck"], ["diff", str(file)]):
            done = ckptcheck(*command, str(file))
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout


def test_a_job_on_numpy(ckptcheck: Call, tmp_path: Path) -> None:
    outputs = ["--json", "--junit", "junit.xml", "--markdown", "report.md"]
    done = ckptcheck("verify", toy("Clean"), *TOY_RUN, *outputs)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "pass"
    assert (tmp_path / "junit.xml").is_file()
    assert (tmp_path / "ckptcheck-out" / "curves.png").is_file()
    judged = ckptcheck("judge", "ckptcheck-out", "--json")
    assert (judged.returncode, json.loads(judged.stdout)["verdict"]) == (0, "pass")
    runs = tmp_path / "ckptcheck-out" / "runs"
    (control,), (resumed,) = runs.rglob("control"), runs.rglob("resumed-*")
    assert ckptcheck("compare", str(control), str(resumed)).returncode == 0


def test_a_pytest_job_on_numpy(python: Call, tmp_path: Path) -> None:
    (tmp_path / "test_resume.py").write_text(
        f"def test_resume(verify_recovery):\n"
        f"    verify_recovery({toy('Clean')!r}, steps=21, boundary=9)\n"
    )
    done = python(sys.executable, "-m", "pytest", "-q", "test_resume.py")
    assert done.returncode == 0, done.stdout


def test_what_is_known(ckptcheck: Call) -> None:
    for command in (["jobs"], ["explain"], ["explain", "slots-lost"], ["--help"], ["--version"]):
        done = ckptcheck(*command)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("verify", "tensorflow"),
        ("verify --suite keras", "keras"),
        ("study convergence --seeds 1", "tensorflow"),
    ],
)
def test_a_shipped_job_names_what_to_install(
    ckptcheck: Call, tmp_path: Path, command: str, missing: str
) -> None:
    done = ckptcheck(*command.split())
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.splitlines(keepends=True)[-1] == f"ckptcheck: {missing} {INSTALL}"
    assert not (tmp_path / "ckptcheck-out").exists()


def test_a_shipped_script_names_what_to_install(ckptcheck: Call, tmp_path: Path) -> None:
    done = ckptcheck("verify", "torch/shuffle")
    assert (done.returncode, done.stdout, done.stderr) == (
        3,
        "",
        f"ckptcheck: Not installed for {sys.executable}: torch. torch/shuffle needs it: "
        "pip install torch\n",
    )
    assert not (tmp_path / "ckptcheck-out").exists()


@pytest.mark.parametrize("where", ["at the top", "in build"])
def test_a_job_of_ones_own_names_what_to_install(
    ckptcheck: Call, tmp_path: Path, where: str
) -> None:
    imports = "import tensorflow as tf"
    base = toy("Clean").partition(":")[0]
    (tmp_path / "own.py").write_text(
        f"import sys; sys.path.insert(0, {str(Path(base).parent)!r})\n"
        f"from base import Clean\n"
        f"{imports if where == 'at the top' else ''}\n"
        f"class Own(Clean):\n"
        f"    def build(self, seed):\n"
        f"        {imports if where == 'in build' else 'pass'}\n"
    )
    done = ckptcheck("verify", "own.py:Own", *TOY_RUN)
    assert done.returncode == 3
    assert done.stderr.endswith(f"ckptcheck: tensorflow {INSTALL}")


def test_a_job_that_only_mentions_a_framework_needs_none(ckptcheck: Call, tmp_path: Path) -> None:
    base = Path(toy("Clean").partition(":")[0])
    (tmp_path / "own.py").write_text(
        f"# Ported from tensorflow.\nimport sys; sys.path.insert(0, {str(base.parent)!r})\n"
        f"from base import Clean as Own\n"
    )
    assert ckptcheck("verify", "own.py:Own", *TOY_RUN).returncode == 0
