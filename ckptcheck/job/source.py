"""What a Python file defines, read from its source: nothing is imported, and nothing runs."""

import ast
import importlib.machinery
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from ckptcheck.errors import UsageError, did_you_mean

# A class is a job if it derives from a class with such a name, or has these methods.
_BASES = "Job"
_METHODS = {"build", "save", "restore"}


def check_file(path: Path) -> None:
    """Raise `UsageError` with the nearest name unless there is such a file."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder. Name a Python file in it: {path}/FILE.py.")
    if not path.is_file():
        raise UsageError(
            f"There is no file {path}.{near(path)} A path is relative to the working directory."
        )


def near(path: Path) -> str:
    """Return a question with the nearest names of Python files beside a missing one."""
    files = (file.name for file in path.parent.glob("*.py") if file.is_file())
    return did_you_mean(path.name, files)


def check_name(target: str) -> None:
    """Raise `UsageError` if the source of a job's file or module does not define its name.

    A module that is not found here, and a source that cannot be read, are left to the process that
    imports the job.
    """
    place, _, name = target.rpartition(":")
    if place.endswith(".py"):
        check_file(Path(place))
    path = Path(place) if place.endswith(".py") else _file_of(place)
    tree = _parsed(path) if path else None
    if tree is None:
        return
    known = set(_bound(tree.body))
    if name not in known and not _may_bind_any(tree):
        raise undefined(place, name, known)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name and not _names_class(node):
            raise uncalled(target)


def undefined(place: str, name: str, known: Iterable[str]) -> UsageError:
    """Build the error for a name that a file or module does not define."""
    public = [each for each in known if not each.startswith("_")]
    return UsageError(f"{place} defines nothing called {name!r}.{did_you_mean(name, public)}")


def uncalled(target: str) -> UsageError:
    """Build the error for a function that does not say that it returns a job."""
    return UsageError(
        f"{target} is a function, so it was not called: a job is a class. To verify the job that a "
        f"function returns, annotate its class: def {target.rpartition(':')[2]}() -> Train."
    )


def _names_class(node: ast.FunctionDef) -> bool:
    return node.returns is not None and ast.unparse(node.returns) not in ("None", "int")


def jobs_in(path: Path) -> list[str]:
    """Return the names of the classes in a file that seem to be jobs, in their order there."""
    tree = _parsed(path)
    classes = {node.name: node for node in _classes(tree.body if tree else [])}
    return [
        name
        for name, node in classes.items()
        if not name.startswith("_") and _is_job(node, classes)
    ]


def only_job(file: str) -> str:
    """Return the only job in a file as a target, or raise `UsageError` with those it defines."""
    targets = all_jobs(file)
    if len(targets) > 1:
        listed = ", ".join(targets)
        raise UsageError(f"{file} defines {len(targets)} jobs. Name those to verify: {listed}.")
    return targets[0]


def all_jobs(file: str) -> list[str]:
    """Return the jobs in a file as targets, at least one, or raise `UsageError`."""
    check_file(Path(file))
    jobs = jobs_in(Path(file))
    if jobs:
        return [f"{file}:{name}" for name in jobs]
    tree = _parsed(Path(file))
    if tree is None:
        raise UsageError(f"{file} cannot be read as Python: `python {file}` reports where.")
    classes = [node.name for node in _classes(tree.body)]
    named = f" If {' or '.join(classes)} is one, write {file}:{classes[0]}." if classes else ""
    raise UsageError(
        f"{file} defines no job. A job is a class derived from FitJob, CheckpointJob, GraphJob or "
        f"TorchJob, or one with the methods of ckptcheck.job.Job.{named} A script that trains when "
        f"it is run is a command: ckptcheck verify -- python {file} {{run}}."
    )


def restores_of(path: Path, name: str) -> list[str]:
    """Return the restores that a class or its bases in the same file write as a literal."""
    tree = _parsed(path)
    classes = {node.name: node for node in _classes(tree.body if tree else [])}
    while name in classes:
        for statement in classes[name].body:
            if isinstance(statement, ast.Assign | ast.AnnAssign) and "restores" in _targets(
                statement
            ):
                return _literal(statement.value)
        name = next((base for base in _bases(classes[name]) if base in classes), "")
    return []


def _literal(node: ast.expr | None) -> list[str]:
    items = node.elts if isinstance(node, ast.Tuple | ast.List) else []
    return [
        each.value
        for each in items
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]


def _parsed(path: Path) -> ast.Module | None:
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None


def _file_of(module: str) -> Path | None:
    """Return the source of a module without importing its packages; None if it is not found."""
    places: Iterable[str] | None = [str(Path.cwd()), *sys.path]
    spec, full = None, ""
    for part in module.split("."):
        full = f"{full}.{part}" if full else part
        spec = importlib.machinery.PathFinder.find_spec(full, list(places or ()))
        if spec is None:
            return None
        places = spec.submodule_search_locations
    origin = spec.origin if spec else None
    return Path(origin) if origin and origin.endswith(".py") else None


def _classes(body: Iterable[ast.stmt]) -> Iterator[ast.ClassDef]:
    return (node for node in _statements(body) if isinstance(node, ast.ClassDef))


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, those in `if`, `try`, `with` and loops included."""
    for node in body:
        yield node
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.iter_child_nodes(node):
                # A handler of an exception and a case of a match hold statements, too.
                held = [inner] if isinstance(inner, ast.stmt) else getattr(inner, "body", [])
                yield from _statements(held if isinstance(held, list) else [])


def _bound(body: Iterable[ast.stmt]) -> Iterator[str]:
    for node in _statements(body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((each.asname or each.name).partition(".")[0] for each in node.names)
        else:
            yield from _targets(node)


def _targets(node: ast.stmt) -> set[str]:
    """Return the names that a statement assigns, loop variables and walruses included."""
    return {
        each.id
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    }


def _may_bind_any(tree: ast.Module) -> bool:
    """Return whether a module may define names that its source does not show."""
    stars = any(
        isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in ast.walk(tree)
    )
    dynamic = {"globals", "vars", "exec", "setattr", "__getattr__", "global"}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return (
        stars
        or bool(names & dynamic)
        or "__getattr__" in _bound(tree.body)
        or any(isinstance(node, ast.Global) for node in ast.walk(tree))
    )


def _bases(node: ast.ClassDef) -> list[str]:
    return [
        each.attr if isinstance(each, ast.Attribute) else each.id
        for each in node.bases
        if isinstance(each, ast.Attribute | ast.Name)
    ]


def _is_job(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> bool:
    methods = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    inherited = [base for base in _bases(node) if base != node.name]
    return (
        methods >= _METHODS
        or any(base.endswith(_BASES) and base not in classes for base in inherited)
        or any(base in classes and _is_job(classes[base], classes) for base in inherited)
    )
