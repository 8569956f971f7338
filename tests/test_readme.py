"""Every command and code block of the README is run, and what it shows is compared with what is printed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
# The commands that .ci/run runs, because they make or check what this very test runs in.
RUN_BY_CI = {
    "pip install -e . && python -m ckptcheck verify",
    "pip install -e '.[test]' && python -m pytest",
    "ruff check . && ruff format --check . && mypy",
    "python -m tests.defects",
    "python -m tests.damage",
}
SHELL = [[line for line in text.splitlines() if line not in RUN_BY_CI] for kind, text in BLOCKS if kind == "sh"]
COMMANDS = [lines for lines in SHELL if lines]
# Scripts that the commands run, by the names that stand above them.
FILES = dict(re.findall(r"This is `(\w+\.py)`[^`]*```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
PYTHON = [text for kind, text in BLOCKS if kind == "python" and text not in FILES.values()]
SHOWN = [text for kind, text in BLOCKS if kind == "text"]
# What the commands show that are not the first one.
SHOWN_BY_FIT = [text for text in SHOWN if "Train" in text]
SHOWN_OF_FILES = [text for text in SHOWN if "model.ckpt-" in text or "that both have" in text]


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = re.sub(r"(^|&& )python ", rf"\g<1>{sys.executable} ", command)
    return subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=False)


def test_the_readme_has_what_is_tested_here() -> None:
    assert {kind for kind, _ in BLOCKS} == {"sh", "python", "text", "yaml"}
    assert (sum(map(len, COMMANDS)), len(PYTHON), len(SHOWN), len(SHOWN_BY_FIT)) == (24, 3, 8, 2)
    assert len(SHOWN_OF_FILES) == 3
    assert sorted(FILES) == ["fit.py", "graph.py", "loop.py", "script.py", "test_resume.py"]
    assert all(len(text.splitlines()) <= 31 for text in FILES.values())
    ci = (ROOT / ".ci" / "run").read_text()
    assert all(part in ci for command in RUN_BY_CI for part in command.split(" && "))


# The same command, for a minute rather than a quarter of an hour: the last value of an option counts.
SHORTENED = " --seeds 1 --epochs 1"
# The report cards are run, by these very commands, in test_suites.py.
ELSEWHERE = ("--executor", "--suite")


@pytest.mark.parametrize(
    "commands", [each for each in COMMANDS if not any(word in each[0] for word in ELSEWHERE)], ids=lambda each: each[0]
)
def test_commands(commands: list[str], tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    printed = ""
    for command in commands:
        done = shell(command + SHORTENED * (" study " in command), tmp_path)
        assert done.returncode == ("exit code 1" in command), done.stdout + done.stderr
        printed += done.stdout
    if "fit.py:Train" in commands[0] and "exit code 1" in commands[0]:
        assert all(masked(shown) in masked(printed) for shown in SHOWN_BY_FIT)
    if inspected := [each for each in commands if " inspect " in each]:
        printed += of_a_copy(tmp_path, *inspected)
        assert all(masked(shown) in masked(printed) for shown in SHOWN_OF_FILES)


def of_a_copy(folder: Path, inspect: str) -> str:
    """Copy the folder that was inspected, with the path of the original in its state file; return what fsck says of it."""
    (original,) = re.findall(r"inspect (\S+)", inspect)
    shutil.copytree(folder / original, folder / "copy")
    state = folder / "copy" / "checkpoint"
    state.write_text(state.read_text().replace('"model', '"/gone/model'))
    done = shell("python -m ckptcheck fsck copy", folder)
    assert done.returncode == 1
    return done.stdout


def test_the_workflow(tmp_path: Path) -> None:
    """What its last step runs; the steps before it check out and install."""
    (workflow,) = (text for kind, text in BLOCKS if kind == "yaml")
    (command,) = re.findall(r"- run: (python .*)", workflow)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    done = shell(command, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "junit.xml").is_file()


def test_the_command_on_a_cluster(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    (command,) = (each for lines in COMMANDS for each in lines if "--executor" in each)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster:
        address = str(cluster.scheduler_address).replace("tcp://", "dask://")
        done = shell(command.replace("dask://localhost:8786", address), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "PASS: each case did what was expected of it." in done.stdout


@pytest.mark.parametrize("code", PYTHON)
def test_python(code: str, tmp_path: Path) -> None:
    (tmp_path / "ci.py").write_text(code)
    done = shell("python ci.py", tmp_path)
    assert done.returncode == 0, done.stderr


def masked(text: str) -> str:
    """Leave out what differs from one processor to another: the numbers, and the spaces that align them."""
    return re.sub(r"\s+", " ", re.sub(r"\d[\d.e+-]*", "#", text)).strip()


def test_output_is_what_is_shown(default_command: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    printed = masked(default_command[1].stdout)
    for shown in SHOWN:
        if shown in (*SHOWN_BY_FIT, *SHOWN_OF_FILES):
            continue
        assert masked(shown) in printed


def test_the_figure_is_there() -> None:
    for path in re.findall(r"\]\((?!https:)([^)#]+)\)", README):
        assert (ROOT / path).is_file(), path


def kept(study: str, table: str) -> pd.DataFrame:
    return pd.read_csv(ROOT / "data" / "study" / f"{study}-{table}.csv")


def test_the_numbers_of_the_studies_are_those_of_the_kept_data() -> None:
    runs = kept("convergence", "runs").pivot(index="seed", columns="variant")
    to_98 = runs["epochs_to_0.98"].median()
    ends, plain = runs["final_validation_accuracy"], kept("convergence", "runs").query("variant == 'plain'")
    apis = kept("bn-apis", "runs").query("humps > 0").groupby("variant")["seed"].agg(list)
    ablation, humps = kept("bn-ablation", "runs"), kept("bn-ablation", "humps").query("returned")
    of_training = humps.query("train_rise > 0.5").merge(ablation[["variant", "seed", "training"]])
    start = ablation.groupby("variant")["epochs_to_0.98"].median()
    low = humps[humps["train_rise"] <= 0.5]["size"]
    rises = ablation.pivot(index="seed", columns="variant", values="largest_rise")
    assert list(apis["bn-nn"]) == list(apis["bn-layers"])
    text = " ".join(README.split())
    for sentence in (
        f"a validation accuracy of 98 % after {to_98['bn-nn']:g} epochs (median), the network without after {to_98['plain']:g}, "
        f"and ends higher in {(ends['bn-nn'] > ends['plain']).sum()} of {len(runs)} seeds",
        f"{len(apis['bn-layers'])} of 12 runs do, and so do {len(apis['bn-nn'])} of 12 runs on `tf.nn`, with the same seeds, and "
        f"even {(plain['humps'] > 0).sum()} of 12 without batch norm",
        f"Of {len(ablation)} runs of {ablation['variant'].nunique()} variants {len(humps)} have a hump; in {len(of_training)} of "
        f"the {len(humps)} the training loss rises",
        f"These {len(of_training)} are {of_training['training'].nunique()} different trainings, of the same "
        f"{of_training['seed'].nunique()} seeds",
        f"The other {len(low)} humps are low ({100 * low.min():.0f} to {100 * low.max():.0f} % above the minimum)",
        f"the largest rise is higher in {(rises['decay-0.999'] > rises['bn-nn']).sum()} of 12 seeds (median "
        f"{100 * rises['decay-0.999'].median():.0f} % above the minimum, against {100 * rises['bn-nn'].median():.0f} %)",
        f"`tf.layers` takes {start['bn-layers']:g} epochs to a validation accuracy of 98 % where the article's code takes "
        f"{start['bn-nn']:g}; with warm-up (`layers-warm-up`) it is {start['layers-warm-up']:g} again",
    ):
        assert sentence in text


def test_every_option_outcome_and_restore_is_named() -> None:
    from ckptcheck.jobs.registry import JOBS

    for word in [
        "--set",
        "--expect",
        "--timeout",
        "--json",
        "--out",
        "--boundary",
        "--steps",
        "--html",
        "--executor",
        "--dataset",
        *JOBS,
    ]:
        assert word in README
    for name, job in JOBS.items():
        for restore, outcome in job.expected.items():
            row = next(line for line in README.splitlines() if line.startswith(f"| `{restore}`"))
            column = ["bn-nn", "bn-layers", "bn-polyak", "plain"].index(name)
            assert row.split("|")[3 + column].strip() == outcome
