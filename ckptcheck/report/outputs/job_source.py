"""Where the code of a user's job stands: its file, and the line of its class."""

import ast
import os
from pathlib import Path


def place_of(job: str) -> tuple[str, int | None] | None:
    """Return the file of a job, as GitHub names files, and the line where the job is defined.

    The file is relative to the checkout, `GITHUB_WORKSPACE`, or else to the working directory. None
    for a shipped job, and for one whose file is not found there.
    """
    module, _, name = job.rpartition(":")
    if not module:
        return None
    file = Path(module if module.endswith(".py") else f"{module.replace('.', '/')}.py").resolve()
    top = Path(os.environ.get("GITHUB_WORKSPACE") or ".").resolve()
    if not file.is_file() or not file.is_relative_to(top):
        return None
    return file.relative_to(top).as_posix(), _line(file, name)


def _line(file: Path, name: str) -> int | None:
    try:
        body = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return None
    return next((node.lineno for node in body if _defines(node, name)), None)


def _defines(node: ast.stmt, name: str) -> bool:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return node.name == name
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)
