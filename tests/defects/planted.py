"""Read what is planted from the jobs' files, without importing them: that would need TensorFlow."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import ways
from .ways import Way

HERE = Path(__file__).parent
MODULES = ("images.py", "files.py", "loop.py", "graph.py", "fit.py", "torch_loop.py")
FRAMEWORKS = ("tensorflow", "torch")
VARIANTS = (0, 1, 2)


@dataclass(frozen=True)
class Planted:
    """A defect, a pair of defects, or a clean case: a job, a restore, and the expected causes.

    `settings` of a clean case are arguments of its verification: a tolerance, accepted causes,
    repetitions.
    """

    module: str
    job: str
    restore: str
    what: str  # defect, pair, clean
    causes: tuple[tuple[str, str | None], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def framework(self) -> str:
        """The module that the job needs."""
        return "torch" if self.module.startswith("torch_") else "tensorflow"

    def target(self, variant: int) -> str:
        """Return the target of a variant of the job, as `verify` takes it."""
        return f"{HERE / self.module}:{self.job}_{variant}"


def planted() -> list[Planted]:
    """Return everything that is planted."""
    return [
        each
        for module in MODULES
        for job, table in tables(module).items()
        for each in _of_job(module, job, table)
    ]


def _of_job(module: str, job: str, table: Mapping[str, Way]) -> Iterator[Planted]:
    for restore, way in table.items():
        if way.what != "clean":
            yield Planted(
                module, job, restore, way.what, tuple(way.causes or _of_both(restore, table))
            )
        if way.clean is not None:
            yield Planted(module, job, restore, "clean", (), way.clean)


def _of_both(restore: str, table: Mapping[str, Way]) -> ways.Causes:
    one, _, other = restore.partition("-and-")
    return [*table[one].causes, *table[other].causes]


def tables(module: str) -> dict[str, Mapping[str, Way]]:
    """Return the restores of each job of a module, from the assignments to its `ways`."""
    tree = ast.parse((HERE / module).read_text())
    return {
        job: _evaluated(value)
        for job, value in _assigned(tree)
        if not (isinstance(value, ast.Dict) and not value.keys)
    }


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield from (
                (node.name, line.value)
                for line in node.body
                if isinstance(line, ast.Assign) and _is_ways(line.targets[0])
            )
        elif (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Attribute)
            and node.targets[0].attr == "ways"
        ):
            yield ast.unparse(node.targets[0].value), node.value


def _is_ways(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id == "ways"


class _Unknown:
    """Stands for any function of the job's module; it can be called."""

    def __call__(self, *arguments: Any) -> "_Unknown":
        return self


class _Names(dict[str, Any]):
    def __missing__(self, name: str) -> _Unknown:
        return _Unknown()


def _evaluated(value: ast.expr) -> Mapping[str, Way]:
    known = _Names(vars(ways))
    table: Mapping[str, Way] = eval(compile(ast.Expression(value), "ways", "eval"), {}, known)
    return table
