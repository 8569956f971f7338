"""Every command and code block of README.md and docs/ is run, and what it shows is compared with what is printed."""

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckptcheck.job.shipped import registry
from tests.checkpoints.bundles import write, write_state
from tests.clusters import address_of, local_cluster
from tests.documents import (
    BLOCKS,
    CI,
    CLUSTERS,
    COMMANDS,
    FILES,
    FIRSTS,
    FIX,
    FIXED,
    HOOKS,
    OF_TORCH,
    PYTHON,
    README,
    ROOT,
    RUN_BY_CI,
    SCRIPTS,
    SHELL,
    SUITES,
    WORKFLOWS,
    Block,
    is_shown,
    outputs,
    printed_by,
    run,
    shown_by,
)


def first_line(block: Block | str) -> str:
    return (block if isinstance(block, str) else block.text).splitlines()[0]


# So that the last cores to be free are free at once.
LONG_FIRST = sorted(COMMANDS, key=lambda commands: -commands.count("\n"))


def here_or_with_the_cards(
    blocks: Sequence[Block | str], ids: Callable[[Any], str] = first_line
) -> "pytest.MarkDecorator":
    """Parametrise a test: what only docs/ shows and trains takes minutes, so .ci/run runs it with the cards."""
    marked = [pytest.param(each, marks=[pytest.mark.cards] * is_long(each)) for each in blocks]
    return pytest.mark.parametrize("block", marked, ids=ids)


def is_long(block: Block | str) -> bool:
    text = block if isinstance(block, str) else block.text
    trains = any(word in text for word in (" verify ", "verify(", "study", "pytest ", ".py "))
    return trains and text not in README


def test_the_readme_is_tried_in_every_run() -> None:
    here = {each for each in COMMANDS if not is_long(each)}
    assert {block.text for block in SHELL if block.page == "README.md"} & {*COMMANDS} <= here
    assert any("explain" in each for each in here)


@here_or_with_the_cards(LONG_FIRST)
def test_commands(block: str, tmp_path: Path) -> None:
    printed = printed_by(block, tmp_path)
    for shown in shown_by(block):
        assert is_shown(shown, printed), "".join(printed)


@pytest.mark.parametrize("commands", FIRSTS, ids=first_line)
def test_the_first_command(
    commands: str, default_command: "tuple[Path, subprocess.CompletedProcess[str]]"
) -> None:
    for shown in shown_by(commands):
        assert is_shown(shown, [default_command[1].stdout]), default_command[1].stdout


def test_the_fix_of_the_readme(tmp_path: Path) -> None:
    """With its line, the README's script recovers; the other commands of the README rely on it."""
    assert f"`{FIX}`" in README
    assert FIXED["train.py"] != FILES["train.py"]
    done = run("python -m ckptcheck verify -- python train.py {run}", tmp_path)
    assert done.stdout.splitlines()[-1] == "PASS: 1 of 1 case recovered."
    assert "`PASS: 1 of 1 case recovered.`" in README


@here_or_with_the_cards(WORKFLOWS, ids=lambda block: block.page)
def test_workflow(block: Block, tmp_path: Path) -> None:
    """What it runs once it has checked out and installed."""
    (command,) = re.findall(r"- run: (python .*)", block.text)
    done = run(command, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.md").is_file()


@pytest.mark.parametrize("block", HOOKS, ids=lambda block: block.page)
def test_hook(block: Block, tmp_path: Path) -> None:
    """The configuration is valid, its hook exists, and what the hook runs finds a torn checkpoint."""
    (tmp_path / ".pre-commit-config.yaml").write_text(block.text)
    manifest = ROOT / ".pre-commit-hooks.yaml"
    for command in ("validate-config", f"validate-manifest {manifest}"):
        done = run(f"python -m pre_commit {command}", tmp_path)
        assert done.returncode == 0, done.stdout
    (name,) = re.findall(r"- id: (\S+)", block.text)
    (folder,) = re.findall(r"args: \[(\S+)\]", block.text)
    described = manifest.read_text(encoding="utf-8")
    assert re.findall(r"- id: (\S+)", described) == [name]
    (entry,) = re.findall(r"entry: (.*)", described)
    (files,) = re.findall(r"files: (.*)", described)
    changed = ("a.index", "a/b.data-00000-of-00001", "checkpoint", "a/checkpoint", "m.weights.h5")
    assert all(re.search(files, path) for path in changed)
    assert not any(re.search(files, path) for path in ("index", "a/my_checkpoint", "a.index.html"))
    write(tmp_path / folder / "model.ckpt-1", {"w": np.zeros(3)})
    write_state(tmp_path / folder, "model.ckpt-1")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "torn.index").touch()
    (tmp_path / ".git" / "torn.data-00000-of-00001").touch()
    for checked in (folder, "."):
        assert run(f"python -m {entry} {checked}", tmp_path).returncode == 0
    Path(f"{tmp_path / folder}/model.ckpt-1.data-00000-of-00001").write_bytes(b"torn")
    assert run(f"python -m {entry} {folder}", tmp_path).returncode == 1


@here_or_with_the_cards(CLUSTERS)
def test_on_a_cluster(block: Block, tmp_path: Path) -> None:
    (command,) = block.lines
    with local_cluster() as cluster:
        done = run(command.replace("dask://localhost:8786", address_of(cluster)), tmp_path)
    assert done.returncode == 0, done.stderr


@here_or_with_the_cards(PYTHON)
def test_python(block: Block, tmp_path: Path) -> None:
    (tmp_path / "ci.py").write_text(block.text)
    done = run("python ci.py", tmp_path)
    assert done.returncode == 0, done.stderr


def test_every_block_is_run() -> None:
    """What is not run by the tests above is run by CI or with the report cards, or belongs to a command that is."""
    assert {block.kind for block in BLOCKS} <= {"sh", "python", "text", "toml", "yaml"}
    commands = [line for block in SHELL for line in block.lines]
    assert set(commands) >= RUN_BY_CI
    run_by_recipes = {f"python -m ckptcheck verify --suite {suite}" for suite in registry().suites}
    assert {line for block in SUITES for line in block.lines} <= run_by_recipes
    for name in FILES:
        assert any(name in block.text for block in [*SHELL, *WORKFLOWS]), name
    # What tests/jobs/test_torch_cards.py compares, where PyTorch is.
    of_cards = (f"python -m ckptcheck verify --suite {suite}\n" for suite in registry().suites)
    compared = {*COMMANDS, *FIRSTS, *(block.text for block in OF_TORCH), *of_cards}
    for owner, shown in outputs():
        assert owner.text in compared, f"{shown.page}: nothing compares {shown.lines[0]!r}"


@pytest.mark.parametrize(
    "part", sorted({part for each in RUN_BY_CI for part in each.split(" && ")})
)
def test_ci_runs_what_is_left_to_it(part: str) -> None:
    assert part in CI


def test_a_script_has_one_text_and_fits_on_a_screen() -> None:
    for block in SCRIPTS:
        assert block.text == FILES[block.file or ""], f"{block.page}: {block.file}"
        assert len(block.lines) <= 34, f"{block.page}: {block.file}"
