"""Excerpts of source code for people to copy: some classes and methods, without annotations."""

import ast
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

# Of a line of imports: excerpts are printed with an indent.
WIDTH = 76


def excerpt(source: str, names: Sequence[str], module: str) -> str:
    """Return functions and classes of a module, or single methods and attributes of a class.

    The imports that they need come first; what else they use is imported from the module.
    `names` are `function`, `Class`, `Class.method` or `Class.attribute`, those of one class
    together.
    """
    tree = ast.parse(source)
    code = _code(source.splitlines(), _named(tree), names)
    imports = _imports(tree, code, module)
    return "\n".join([*imports, "", code]) if imports else code


def _imports(tree: ast.Module, code: str, module: str) -> list[str]:
    """Return the lines that import what the code uses."""
    shown = ast.parse(code)
    used = {node.id for node in ast.walk(shown) if isinstance(node, ast.Name)}
    lines = [
        ast.unparse(node)
        for node in tree.body
        if isinstance(node, ast.Import) and used & {_bound(alias) for alias in node.names}
    ]
    elsewhere = {
        _bound(alias): node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    elsewhere |= dict.fromkeys(_defined(tree), module)
    wanted = sorted((used & set(elsewhere)) - set(_defined(shown)))
    for place in sorted({str(elsewhere[name]) for name in wanted}):
        those = [name for name in wanted if elsewhere[name] == place]
        lines += _imported(place, ", ".join(those))
    return lines


def _imported(module: str, names: str) -> list[str]:
    line = f"from {module} import {names}"
    if len(line) <= WIDTH:
        return [line]
    wrapped = textwrap.wrap(names, WIDTH, initial_indent="    ", subsequent_indent="    ")
    return [f"from {module} import (", *wrapped, ")"]


def _bound(alias: ast.alias) -> str:
    return alias.asname or alias.name


def _defined(tree: ast.Module) -> Iterator[str]:
    """Yield the names of the classes, functions and constants of a module."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (each.id for each in ast.walk(node.targets[0]) if isinstance(each, ast.Name))


def _code(lines: Sequence[str], classes: dict[str, Any], names: Sequence[str]) -> str:
    shown: dict[str, list[str]] = {}
    for name in names:
        holder, _, member = name.partition(".")
        whole = classes[holder]
        if isinstance(whole, ast.FunctionDef):
            shown["\n".join(_lines(whole, lines))] = []
            continue
        parts = shown.setdefault(_head(whole, lines), [])
        parts += ["..."] if member and not parts else []
        members = [_named(whole)[member]] if member else whole.body
        parts += ["\n".join(_lines(each, lines)) for each in members]
    bodies = {head: textwrap.indent("\n\n".join(parts), "    ") for head, parts in shown.items()}
    return "\n\n".join(f"{head}\n{body}".rstrip() for head, body in bodies.items())


def _head(node: ast.ClassDef, lines: Sequence[str]) -> str:
    """Return the first line of a class, below its decorators."""
    decorators = [f"@{ast.unparse(each)}" for each in node.decorator_list]
    return "\n".join([*decorators, lines[node.lineno - 1].partition("  #")[0]])


def _named(node: ast.Module | ast.ClassDef) -> dict[str, Any]:
    """Return the classes, functions and annotated assignments directly inside a node."""
    named: dict[str, Any] = {}
    for each in node.body:
        if isinstance(each, ast.ClassDef | ast.FunctionDef):
            named[each.name] = each
        elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            named[each.target.id] = each
    return named


def _lines(node: ast.stmt, lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a statement, the head of a function and an assignment bare of types."""
    first, head = node.lineno, ""
    if isinstance(node, ast.FunctionDef):
        body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
        first = body[0].lineno
        head = f"def {node.name}({', '.join(_arguments(node.args))}):"
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        head = f"{ast.unparse(node.target)} = {lines[first - 1][node.value.col_offset :]}"
        first += 1
    indent = "    " if isinstance(node, ast.FunctionDef) else ""
    rest = textwrap.dedent("\n".join(lines[first - 1 : node.end_lineno]))
    yield from [head] if head else []
    if isinstance(node, ast.AnnAssign):  # its further lines are indented by one class
        rest = "\n".join(line[4:] for line in lines[first - 1 : node.end_lineno])
    yield from textwrap.indent(rest, indent).splitlines()


def _arguments(arguments: ast.arguments) -> Iterator[str]:
    """Yield the arguments without their types."""
    defaults = [None] * (len(arguments.args) - len(arguments.defaults)) + [*arguments.defaults]
    for argument, default in zip(arguments.args, defaults, strict=True):
        yield argument.arg + (f"={ast.unparse(default)}" if default is not None else "")
    if arguments.kwarg:
        yield f"**{arguments.kwarg.arg}"
