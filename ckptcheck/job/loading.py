"""How a job is found by name, `package.module:name` or `path/to/file.py:name`, and whether what is found is one."""

import importlib
import importlib.util
import sys
from numbers import Integral
from pathlib import Path
from typing import Any

from ckptcheck.errors import UsageError


def is_own(job: str) -> bool:
    """Return whether a job is a user's own, named by its module or its file."""
    return ":" in job


def load(target: str) -> Any:
    """Import what `target` names, or raise `UsageError` where it has no name, or something of it is not there."""
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise UsageError(
            f"{target!r} names no job: write package.module:name or path/to/file.py:name."
        )
    module = _from_file(Path(place)) if place.endswith(".py") else _from_name(place)
    try:
        return getattr(module, name)
    except AttributeError:
        raise UsageError(f"{place} has nothing called {name!r}.") from None


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise UsageError(f"There is no file {path} to take a job from.")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} cannot be imported as Python.")
    module = importlib.util.module_from_spec(spec)
    # A file may import its neighbours, as it does when it is run as a script.
    sys.path.insert(0, str(path.resolve().parent))
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module


def _from_name(place: str) -> Any:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and f"{place}.".startswith(f"{error.name}."):
            raise UsageError(f"There is no module {place} to take a job from.") from None
        raise


def loops(job: Any) -> bool:
    """Return whether a job runs its training loop itself, see `ckptcheck.job.LoopingJob`."""
    return hasattr(job, "run") and not hasattr(job, "train")


def check(job: Any, name: str) -> None:
    """Raise `UsageError` where a method or an attribute of a job is not there, or its epochs have no length."""
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
    missing += [
        attribute for attribute in ("restores", "steps_per_epoch") if not hasattr(job, attribute)
    ]
    if missing:
        raise UsageError(
            f"{name} gives an object of type {type(job).__name__}, which is no job: it has no {', '.join(missing)}. "
            "See ckptcheck.job.Job, or take one of the classes in ckptcheck.adapters as a base."
        )
    length = job.steps_per_epoch
    if isinstance(length, bool) or not isinstance(length, Integral) or length < 1:
        raise UsageError(
            f"steps_per_epoch of {name} is {length!r}: it must be a whole number of at least 1."
        )
