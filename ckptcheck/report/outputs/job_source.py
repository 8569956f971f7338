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
    try:
        file = Path(module if module.endswith(".py") else f"{module.replace('.', '/')}.py")
        top = Path(os.environ.get("GITHUB_WORKSPACE") or ".").resolve()
        text, place = file.read_bytes(), file.resolve().relative_to(top).as_posix()
    except (OSError, ValueError):  # there is no such file in the checkout
        return None
    return place, _line(text, name)


def _line(text: bytes, name: str) -> int | None:
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return None
    return next((node.lineno for node in body if _defines(node, name)), None)


def _defines(node: ast.stmt, name: str) -> bool:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return node.name == name
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)
