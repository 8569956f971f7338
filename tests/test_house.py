"""House rules of the package that no tool checks."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "ckptcheck"
MODULES = sorted(PACKAGE.rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef

# The public `verify`.
MAY_HAVE_MANY_PARAMETERS = {"pipeline.verify", "drills.run.drill"}
MOST_PARAMETERS = 15


def name_of(module: Path) -> str:
    return ".".join(module.relative_to(PACKAGE).with_suffix("").parts)


def functions() -> Iterator[tuple[str, Function]]:
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, Function):
                yield f"{name_of(module)}.{node.name}", node


def length(node: Function) -> int:
    """Return the number of lines of a function's body, without its docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0  # type: ignore[operator]


def test_functions_are_small() -> None:
    lengths = sorted(length(node) for _, node in functions())
    assert statistics.median(lengths) <= 6
    assert lengths[int(0.99 * len(lengths))] <= 40


def test_functions_have_few_parameters() -> None:
    many = {
        name
        for name, node in functions()
        if len(node.args.posonlyargs + node.args.args + node.args.kwonlyargs) > MOST_PARAMETERS
    }
    assert many == MAY_HAVE_MANY_PARAMETERS


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_private_names_stay_in_their_file(module: Path) -> None:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ckptcheck"):
            private = [
                alias.name
                for alias in node.names
                if alias.name.startswith("_") and alias.name != "_internals"
            ]
            assert not private, f"{name_of(module)} imports {private} of {node.module}"


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_imports_inside_functions_say_why(module: Path) -> None:
    """A comment on the line or above the imports, or one comment or docstring for the module."""
    lines = module.read_text(encoding="utf-8").splitlines()
    tree = ast.parse("\n".join(lines))
    if "import" in (ast.get_docstring(tree) or "") or any(
        line.startswith("#") and "import" in line for line in lines
    ):
        return
    for node in ast.walk(tree):
        if isinstance(node, Function):
            for each in ast.walk(node):
                if isinstance(each, ast.Import | ast.ImportFrom):
                    assert is_explained(lines, each.lineno - 1), (
                        f"{name_of(module)}:{each.lineno}: {lines[each.lineno - 1]}"
                    )


def is_explained(lines: list[str], place: int) -> bool:
    if "#" in lines[place]:
        return True
    above = place - 1
    while above >= 0 and (
        not lines[above].strip() or lines[above].strip().startswith(("import ", "from "))
    ):
        above -= 1
    return lines[above].strip().startswith("#") or "#" in lines[above + 1]


@pytest.mark.parametrize(
    "folder", sorted({module.parent for module in MODULES}), ids=lambda folder: folder.name
)
def test_a_folder_has_a_docstring(folder: Path) -> None:
    assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
