"""Load a job by name, `package.module:name` or `path/to/file.py:name`, and check that it is one."""

import importlib
import importlib.util
import inspect
import sys
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any

from ckptcheck.errors import UsageError
from ckptcheck.job.source import check_file, uncalled, undefined


def is_own(job: str) -> bool:
    """Return whether a job is the user's own, named by its module or file."""
    return ":" in job


def load(target: str) -> Any:
    """Import the object that `target` names, or raise `UsageError`."""
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise UsageError(
            f"{target!r} names no job. Write package.module:name or path/to/file.py:name."
        )
    module = _from_file(Path(place)) if place.endswith(".py") else _from_name(place)
    try:
        return getattr(module, name)
    except AttributeError:
        raise undefined(place, name, vars(module)) from None


def made(target: str, maker: Any) -> Any:
    """Return the job that a class or a `partial` makes, or a function that says which it returns.

    Any other function, such as `main` of a script, is never called. An instance is the job itself.

    Raises:
        UsageError: The target names something that makes no job.
    """
    if inspect.isroutine(maker):
        returned = inspect.signature(maker).return_annotation
        if returned in (inspect.Signature.empty, None, int, "None", "int"):
            raise uncalled(target)
    makes = inspect.isroutine(maker) or inspect.isclass(maker) or isinstance(maker, partial)
    return maker() if makes else maker


def _from_file(path: Path) -> Any:
    check_file(path)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} cannot be imported as a Python module.")
    module = importlib.util.module_from_spec(spec)
    # A file run as a script can import its neighbours.
    sys.path.insert(0, str(path.resolve().parent))
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def _from_name(place: str) -> Any:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and f"{place}.".startswith(f"{error.name}."):
            raise UsageError(
                f"There is no module {place}. Install it, or add its folder to PYTHONPATH."
            ) from None
        raise


def loops(job: Any) -> bool:
    """Return whether a job is a `ckptcheck.job.LoopingJob`."""
    return hasattr(job, "run") and not hasattr(job, "train")


_ATTRIBUTES = ("restores", "steps_per_epoch")


def check(job: Any, name: str) -> None:
    """Raise `UsageError` unless an object has what a job needs, and epochs of at least one step."""
    methods = (
        "build",
        "next_step",
        "evaluate",
        "state",
        "save",
        "restore",
        "run" if loops(job) else "train",
    )
    missing = [method for method in methods if not callable(getattr(job, method, None))]
    wanted = ("restores",) if callable(getattr(job, "count_steps", None)) else _ATTRIBUTES
    missing += [attribute for attribute in wanted if not hasattr(job, attribute)]
    if missing == ["steps_per_epoch"]:
        raise UsageError(
            f"{name} lacks steps_per_epoch. Set steps_per_epoch to the number of batches in an "
            "epoch."
        )
    if missing:
        made = type(job).__name__
        raise UsageError(
            f"{name} is not a job: {made} lacks {', '.join(missing)}. Implement "
            f"ckptcheck.job.Job, or derive {made} from a class in ckptcheck.adapters."
        )
    length = getattr(job, "steps_per_epoch", 1)
    if isinstance(length, bool) or not isinstance(length, Integral) or length < 1:
        raise UsageError(
            f"steps_per_epoch of {name} is {length!r}. It must be an integer of at least 1."
        )
