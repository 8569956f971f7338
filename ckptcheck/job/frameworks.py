"""The frameworks that jobs run on, and what is known of each without loading it.

A framework is a folder in `ckptcheck.adapters` whose module `framework` declares it.
"""

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ckptcheck.errors import UsageError
from ckptcheck.job.loading import is_own, load
from ckptcheck.job.shipped import shipped


@dataclass(frozen=True)
class Framework:
    """A framework as its adapter declares it.

    The optional fields are targets for `ckptcheck.job.load`, loaded on demand.

    Attributes:
        name: The name of the framework.
        styles: The styles of its jobs, each with a heading for people.
        packages: The packages whose versions affect numeric results.
        switches: The environment variables that affect numeric results.
        module: The module that a fork server imports once.
        op_determinism: A function that returns whether operations are deterministic.
        state_of: A function that returns the live state of objects of the framework.
        style_of: A function that returns the style of a script that has these objects.
        remedies: A mapping of causes to remedies for this framework.
        saved_nothing: By style and restore, why its save may leave no file.
        restores_at_once: Whether a restore makes all state; else it may wait for the first step.
        fit_callback: A class of callbacks that record a training loop of the framework's own.
        observer: A function that observes a process which has imported the framework.
    """

    name: str
    styles: Mapping[str, str]
    packages: Sequence[str]
    switches: Sequence[str]
    module: str
    op_determinism: str | None = None
    state_of: str | None = None
    style_of: str | None = None
    remedies: str | None = None
    fit_callback: str | None = None
    observer: str | None = None
    saved_nothing: Mapping[tuple[str, str], str] = field(default_factory=dict)
    restores_at_once: bool = False

    @property
    def is_loaded(self) -> bool:
        """Whether this process has loaded the framework."""
        return self.module in sys.modules

    def is_needed_by(self, job: str) -> bool:
        """Return whether a job seems to need the framework.

        A user's file needs it if its source mentions one of its packages, as a Keras job mentions
        Keras and perhaps not TensorFlow; a user's module, if it is installed.
        """
        if not is_own(job):
            return shipped(job).framework == self.name
        place = job.rpartition(":")[0]
        if place == "__main__":  # the job is live in this process
            return self.is_loaded
        if place.endswith(".py"):
            return self._is_mentioned_in(Path(place))
        return importlib.util.find_spec(self.module) is not None

    def _is_mentioned_in(self, path: Path) -> bool:
        source = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        names = [self.module, *(package.replace("-", "_") for package in self.packages)]
        return any(name in source for name in names)


@cache
def frameworks() -> tuple[Framework, ...]:
    """Return every framework that has an adapter, in the order of the folder names."""
    adapters = importlib.import_module("ckptcheck.adapters")  # by name: no import of an edge
    folders = pkgutil.iter_modules(adapters.__path__, f"{adapters.__name__}.")
    modules = [f"{folder.name}.framework" for folder in folders if folder.ispkg]
    return tuple(
        importlib.import_module(module).FRAMEWORK
        for module in modules
        if importlib.util.find_spec(module)
    )


def styles() -> dict[str, str]:
    """Return the styles of jobs of all frameworks, each with its heading."""
    return {
        style: heading for framework in frameworks() for style, heading in framework.styles.items()
    }


def restores_at_once(style: str) -> bool:
    """Return whether state that the first step of such a job makes was not restored."""
    return any(style in each.styles and each.restores_at_once for each in frameworks())


def why_nothing_saved(style: str, restore: str) -> str:
    """Return why the save for a restore of that style may leave no file; empty: unknown."""
    known = (framework.saved_nothing.get((style, restore), "") for framework in frameworks())
    return next(filter(None, known), "")


def preloads(jobs: Iterable[str]) -> tuple[str, ...]:
    """Return the modules to import once for all processes of some jobs.

    A module that is not installed is left out: the job that needs it reports it.
    """
    names = tuple(jobs)
    return tuple(
        framework.module for framework in frameworks() if any(map(framework.is_needed_by, names))
    )


def how_to_install(module: str) -> str | None:
    """Return how to install a missing module, or None where no framework brings it."""
    for framework in frameworks():
        if module.partition(".")[0] in (each.replace("-", "_") for each in framework.packages):
            return (
                f"{module} is not installed for {sys.executable}. "
                f"Install it: pip install 'ckptcheck[{framework.name}]'"
            )
    return None


def edges() -> list[dict[str, Any]]:
    """Return what the observer's import hooks need: module, packages and target of each edge."""
    return [
        {
            "module": each.module,
            "packages": [package.replace("-", "_") for package in each.packages],
            "target": each.observer,
        }
        for each in frameworks()
        if each.observer
    ]


def has_deterministic_ops() -> bool:
    """Return whether a loaded framework runs with deterministic operations."""
    return any(
        load(each.op_determinism)()
        for each in frameworks()
        if each.is_loaded and each.op_determinism
    )


def state_of() -> Callable[[Sequence[Any]], Mapping[str, Any]]:
    """Return the loaded framework's function that reads the live state of its objects.

    Raises:
        UsageError: No framework is loaded.
    """
    for framework in frameworks():
        if framework.is_loaded and framework.state_of:
            function: Callable[[Sequence[Any]], Mapping[str, Any]] = load(framework.state_of)
            return function
    raise UsageError(
        "The state is a sequence of objects, but this process has loaded no framework that could "
        "read them. Import the framework first, or pass a function that returns arrays by name."
    )


def style_of(objects: Sequence[Any]) -> str:
    """Return the style of a script whose state are these objects, as its framework tells it."""
    for framework in frameworks():
        if framework.is_loaded and framework.style_of:
            return str(load(framework.style_of)(objects))
    return ""


def fit_callback() -> Callable[..., Any]:
    """Return the loaded framework's class of callbacks that record its training loop.

    Raises:
        UsageError: No framework with such a loop is loaded.
    """
    for framework in frameworks():
        if framework.is_loaded and framework.fit_callback:
            made: Callable[..., Any] = load(framework.fit_callback)
            return made
    raise UsageError("This process has not imported Keras, so there is no `fit` to record.")
