"""The registry: jobs are found by name, without importing a framework."""

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from ckptcheck.command.runs import RESTART
from ckptcheck.errors import NotVerifiedError, UsageError
from ckptcheck.job.shipped import (
    ShippedCommand,
    ShippedJob,
    check_installed,
    entry,
    make_job,
    recipes,
    registry,
    shipped,
)
from ckptcheck.jobs.registry import DEFAULT_JOBS, JOBS, REGISTRY
from ckptcheck.outcomes import EXPECTABLE

BOTH = [*REGISTRY.jobs.values(), *REGISTRY.recipes.values()]
ALL = [each for each in BOTH if isinstance(each, ShippedJob)]
COMMANDS = [each for each in BOTH if isinstance(each, ShippedCommand)]


def test_the_look_up_finds_this_registry() -> None:
    assert registry() is REGISTRY
    assert list(JOBS) == ["bn-nn", "bn-layers", "bn-polyak", "plain", "bn-torch"]
    assert set(DEFAULT_JOBS) < set(JOBS)
    assert list(REGISTRY.suites) == [
        "keras",
        "tf2",
        "torch",
        "lightning",
        "transformers",
        "accelerate",
    ]


def test_the_registry_imports_no_framework() -> None:
    code = "from ckptcheck.job.shipped import registry; registry(); import sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"tensorflow", "keras", "tf_keras", "filelock"} & set(loaded)


@pytest.mark.parametrize("job", ALL, ids=lambda job: job.name)
def test_an_entry_leads_to_a_class(job: ShippedJob) -> None:
    module, _, name = job.target.partition(":")
    spec = find_spec(module)
    assert spec is not None
    source = Path(spec.origin or "").read_text(encoding="utf-8")
    assert name in {node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}


@pytest.mark.parametrize("job", ALL, ids=lambda job: job.name)
def test_an_entry_is_whole(job: ShippedJob) -> None:
    assert shipped(job.name) is job
    is_of_torch = job.framework == "torch"
    assert is_of_torch or job.framework == "tensorflow"
    assert set(job.expected.values()) <= set(EXPECTABLE)
    assert set(job.default_restores) <= set(job.expected)
    of_keras = {"TF_USE_LEGACY_KERAS": "1" if job.name == "bn-layers" else "0"}
    assert job.environment == ({} if is_of_torch else of_keras)
    assert job.summary.endswith(".")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_script_is_whole(command: ShippedCommand) -> None:
    assert entry(command.name) is command
    tree = ast.parse(command.file.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [each.name for each in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }
    assert imported - sys.stdlib_module_names <= set(command.needs)
    assert set(command.expected) == {RESTART}
    assert command.summary.endswith(".")
    assert ast.get_docstring(tree).count("\n") == 0  # type: ignore[union-attr]


def test_each_script_has_a_fixed_twin_unless_it_recovers() -> None:
    names = {command.name for command in COMMANDS}
    for command in COMMANDS:
        if not command.arguments:
            twin = f"{command.name}-fixed"
            assert (twin in names) == (command.expected[RESTART] != "recovered")
            assert twin not in names or entry(twin).expected == {RESTART: "recovered"}


def test_how_many_recipes_there_are() -> None:
    scripts = [command.name for command in COMMANDS if not command.arguments]
    suites = [name.partition("/")[0] for name in scripts]
    assert suites.count("torch") >= 8
    assert suites.count("lightning") >= 8
    assert suites.count("transformers") >= 6
    assert suites.count("accelerate") >= 6


def test_a_command_is_no_job() -> None:
    with pytest.raises(UsageError, match=r"^torch/shuffle is a command, and has no class\.$"):
        shipped("torch/shuffle")


def test_what_is_not_installed() -> None:
    one = ShippedCommand("x/a", "x", (), "", {}, "X", ("ast", "no_such_package"))
    two = ShippedCommand("x/b", "x", (), "", {}, "X", ("no_such_package", "nor_this"))
    check_installed([])
    with pytest.raises(NotVerifiedError) as caught:
        check_installed([one])
    assert str(caught.value) == (
        f"Not installed for {sys.executable}: no_such_package. x/a needs it: "
        "pip install no_such_package"
    )
    with pytest.raises(NotVerifiedError) as caught:
        check_installed([one, two])
    assert str(caught.value) == (
        f"Not installed for {sys.executable}: no_such_package, nor_this. x/a and 1 other recipe "
        "need them: pip install no_such_package nor_this"
    )


def test_names_of_recipes() -> None:
    assert recipes("tf2") == [name for name in REGISTRY.recipes if name.startswith("tf2/")]
    assert {name.partition("/")[0] for name in REGISTRY.recipes} == set(REGISTRY.suites)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "bn-n",
            "There is no job called 'bn-n'. Did you mean bn-nn? Known: bn-layers, bn-nn, bn-polyak, bn-torch, plain.",
        ),
        (
            "keras",
            "There is no job called 'keras', but a suite: to verify its 21 recipes, write --suite keras.",
        ),
        (
            "tf2/lop",
            "There is no job called 'tf2/lop'. Did you mean tf2/loop or tf2/dropout? Known: accelerate/averages, ",
        ),
    ],
)
def test_an_unknown_job(name: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        shipped(name)
    assert str(caught.value).startswith(text)


def test_an_unknown_suite() -> None:
    with pytest.raises(
        UsageError,
        match=r"^There is no suite called 'kers'. Did you mean keras\? Known: accelerate, keras, lightning, tf2, torch, transformers\.$",
    ):
        recipes("kers")


class Nothing:
    """No job."""


class Endless(Nothing):
    restores, steps_per_epoch = ("all",), 0

    def __getattr__(self, name: str) -> object:
        return print


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "Nothing",
            "{} is not a job: Nothing lacks build, next_step, evaluate, state, save, restore, train, restores, "
            "steps_per_epoch. Implement ckptcheck.job.Job, or derive Nothing from a class in ckptcheck.adapters.",
        ),
        ("Endless", "steps_per_epoch of {} is 0. It must be an integer of at least 1."),
    ],
)
def test_what_is_no_job(name: str, text: str) -> None:
    target = f"{__name__}:{name}"
    with pytest.raises(UsageError) as caught:
        make_job(target, {})
    assert str(caught.value) == text.format(target)
