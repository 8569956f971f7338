"""The frameworks that jobs run on: what there is to know of each without loading it.

A framework is a folder in `ckptcheck.adapters` with a module `framework`, which declares it; it is looked for by name.
"""

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ckptcheck.errors import UsageError
from ckptcheck.job.loading import is_own, load
from ckptcheck.job.shipped import shipped


@dataclass(frozen=True)
class Framework:
    """A framework as its adapter declares it. What is loaded when asked for has a name as `ckptcheck.job.load` takes it."""

    name: str
    styles: Mapping[str, str]  # the kinds of jobs it has, each with what people call it
    packages: Sequence[str]  # those whose versions decide numbers
    switches: Sequence[str]  # the environment variables that do
    module: str  # what all of it loads: a fork server imports it once, and the source of a job that needs it says its name
    op_determinism: str | None = None  # names a function: is it on?
    state_of: str | None = None  # names a function: the live state of objects of the framework
    remedies: str | None = None  # names a mapping: what to do about causes of the catalogue

    @property
    def is_loaded(self) -> bool:
        """Whether this process has loaded it."""
        return self.module in sys.modules

    def is_needed_by(self, job: str) -> bool:
        """Return whether a job seems to need it. A user's own file says its name; a module may, where it is installed."""
        if not is_own(job):
            return shipped(job).framework == self.name
        place = job.rpartition(":")[0]
        if place.endswith(".py"):
            path = Path(place)
            return path.is_file() and self.module in path.read_text(
                encoding="utf-8", errors="replace"
            )
        return importlib.util.find_spec(self.module) is not None


@cache
def frameworks() -> tuple[Framework, ...]:
    """Return every framework that has an adapter, in the order of the folders' names."""
    adapters = importlib.import_module("ckptcheck.adapters")  # by name: the line knows no adapter
    folders = pkgutil.iter_modules(adapters.__path__, f"{adapters.__name__}.")
    modules = [f"{folder.name}.framework" for folder in folders if folder.ispkg]
    return tuple(
        importlib.import_module(module).FRAMEWORK
        for module in modules
        if importlib.util.find_spec(module)
    )


def styles() -> dict[str, str]:
    """Return the styles of jobs of all frameworks, with what people call them."""
    return {
        style: heading for framework in frameworks() for style, heading in framework.styles.items()
    }


def preloads(jobs: Iterable[str]) -> tuple[str, ...]:
    """Return what to import once for all processes of some jobs, where it is installed."""
    names = tuple(jobs)
    return tuple(
        framework.module for framework in frameworks() if any(map(framework.is_needed_by, names))
    )


def how_to_install(module: str) -> str | None:
    """Return what to install where a module cannot be found that a framework brings, or None where no framework does."""
    for framework in frameworks():
        if module.partition(".")[0] in (each.replace("-", "_") for each in framework.packages):
            return (
                f"{module} is not installed for {sys.executable}. "
                f"Install it: pip install 'ckptcheck[{framework.name}]'"
            )
    return None


def has_deterministic_ops() -> bool:
    """Return whether a framework of this process was told to compute the same result each time."""
    return any(
        load(each.op_determinism)()
        for each in frameworks()
        if each.is_loaded and each.op_determinism
    )


def state_of() -> Callable[[Sequence[Any]], Mapping[str, Any]]:
    """Return the function that gives the live state of objects: that of the framework that is loaded.

    Raises:
        UsageError: none is whose objects they could be.
    """
    for framework in frameworks():
        if framework.is_loaded and framework.state_of:
            function: Callable[[Sequence[Any]], Mapping[str, Any]] = load(framework.state_of)
            return function
    raise UsageError(
        "No framework is loaded whose objects could be the state: give a function that returns arrays by name."
    )
