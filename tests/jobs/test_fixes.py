"""Fixes: the report cards run both recipes, and `explain` prints the lines that differ."""

import ast
import builtins
import json
from collections.abc import Iterator
from itertools import chain

import pytest

from ckptcheck.diagnosis.catalogue import CAUSES
from ckptcheck.job.excerpts import excerpt
from ckptcheck.job.shipped import Fix, fixes_for, registry
from tests.command_line import call
from tests.conftest import ROOT
from tests.jobs import test_recipes, test_torch_cards

LOST = {
    **{case: {cause for cause, _ in found} for case, found in test_recipes.LOST.items()},
    **test_torch_cards.LOST,
}
CASES = [*test_recipes.CASES, *test_torch_cards.CASES]

FIXES = [(cause, fix) for cause, fixes in registry().fixes.items() for fix in fixes]
EVERY = pytest.mark.parametrize(
    ("cause", "fix"), FIXES, ids=[f"{cause}: {fix.fixed}" for cause, fix in FIXES]
)


@EVERY
def test_the_cards_show_the_cause_and_the_recovery(cause: str, fix: Fix) -> None:
    """`python -m pytest -m cards` runs every case of LOST and CASES."""
    assert cause in CAUSES
    assert cause in LOST[fix.broken]
    assert fix.fixed in CASES
    assert fix.fixed not in LOST


@EVERY
def test_the_code_is_short_and_legible(cause: str, fix: Fix) -> None:
    lines = fix.code().splitlines()
    assert 3 <= len(lines) <= 55
    assert all(len(line) <= 76 for line in lines)
    assert lines[0].startswith(("import ", "from ", "def "))  # one may need no import


@EVERY
def test_the_code_defines_or_imports_all_that_it_uses(cause: str, fix: Fix) -> None:
    tree = ast.parse(fix.code())
    known = {name for node in ast.walk(tree) for name in _bound_by(node)} | set(dir(builtins))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert used <= known


def _bound_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in node.names)


@EVERY
def test_the_code_shows_who_calls_its_methods(cause: str, fix: Fix) -> None:
    """A method that no class of a library calls by its name is called in the code."""
    called_elsewhere = {"__init__", "__len__", "__getitem__", "checkpoint_of", "call", "build"}
    called_elsewhere |= {"fit", "layers", "save", "restore", "plateau", "stopping", "data"}
    called_elsewhere |= {"state_dict", "load_state_dict", "forward"}
    classes = [each for each in ast.walk(ast.parse(fix.code())) if isinstance(each, ast.ClassDef)]
    for node in (each for kind in classes for each in kind.body):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("on_"):
            assert node.name in called_elsewhere or f".{node.name}(" in fix.code(), node.name


def test_causes_with_a_fix() -> None:
    assert set(registry().fixes) >= {
        "data-order",
        "python-state-lost",
        "slots-lost",
        "weights-lost",
        "moving-statistics-lost",
        "step-lost",
        "generators-restarted",
        "shadows-lost",
    }
    styles = ["keras", "tf2", "torch", "torch", "torch"]
    assert [fix.style for fix in fixes_for("slots-lost")] == styles
    assert fixes_for("noise") == []


def test_explain_prints_the_code() -> None:
    printed = call("explain", "python-state-lost", cwd=ROOT).stdout
    for fix in fixes_for("python-state-lost"):
        assert all(f"    {line}".rstrip() in printed for line in fix.code().splitlines())
    assert "Fixed, in Keras' fit: keras/plateau-saved × keras recovers, " in printed
    assert (
        "\n  To run them: ckptcheck verify keras/plateau keras/plateau-saved keras/early-stopping "
        "keras/early-stopping-saved keras/best keras/best-kept\n"
        f"  To read them: {ROOT / 'ckptcheck' / 'jobs' / 'recipes' / 'keras.py'}\n"
    ) in printed
    assert all(
        len(line) <= 80 for line in chain(printed.splitlines()) if not line.startswith("  To r")
    )


def test_explain_for_one_framework() -> None:
    whole = call("explain", "slots-lost", cwd=ROOT).stdout
    printed = call("explain", "slots-lost", "--framework", "tf2", cwd=ROOT).stdout
    assert "\n  What to do, in a loop with tf.train.Checkpoint\n" in printed
    assert printed.count("What to do, in ") == 1 < whole.count("What to do, in ")
    assert printed.count("Fixed, in ") == 1 < whole.count("Fixed, in ")
    assert "\n  To run them: ckptcheck verify tf2/loop\n" in printed
    assert len(printed.splitlines()) < len(whole.splitlines()) - 40
    of_torch = call("explain", "slots-lost", "--framework", "torch", cwd=ROOT).stdout
    assert "Fixed, in Lightning: lightning/load-from-checkpoint-fixed × restart" in of_torch
    assert "\n    def fit(trainer, loader, last, fixed):\n" in of_torch
    (document,) = json.loads(
        call("explain", "slots-lost", "--framework", "tf2", "--json", cwd=ROOT).stdout
    )
    assert list(document["remedies"]) == ["What to do, in a loop with tf.train.Checkpoint"]
    assert [fix["fixed"] for fix in document["fixes"]] == ["tf2/loop × all"]
    done = call("explain", "slots-lost", "--framework", "kera", cwd=ROOT)
    assert (done.returncode, done.stderr) == (
        2,
        "ckptcheck: There is no framework called 'kera'. Did you mean keras? "
        "Known: keras, tf1, tf2, torch.\n",
    )


def test_an_excerpt_has_no_types_and_imports_what_it_uses() -> None:
    source = """
import keras
import unused
from somewhere import thing, other

SIZE, LENGTH = 1, 2

class Base: ...

@keras.registered("a")
class A(Base):  # type: ignore[misc]
    \"\"\"What it is.\"\"\"

    x: int = 1
    passed: dict[str, str] = {
        "a": "b",
    }

    def f(self, y: int = 2, **more: int) -> None:
        \"\"\"Do it.\"\"\"
        # why
        return y + SIZE + thing
"""
    assert excerpt(source, ["A.passed", "A.f"], "recipes") == (
        "import keras\nfrom recipes import Base, SIZE\nfrom somewhere import thing\n\n"
        "@keras.registered('a')\n"
        'class A(Base):\n    ...\n\n    passed = {\n        "a": "b",\n    }\n\n'
        "    def f(self, y=2, **more):\n        return y + SIZE + thing"
    )
