"""Look up the jobs that ship with the tool by name. `ckptcheck.jobs` declares them."""

import importlib.util
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ckptcheck.counts import counted
from ckptcheck.errors import NotVerifiedError, UsageError, unknown
from ckptcheck.job.excerpts import excerpt
from ckptcheck.job.given import unpickled
from ckptcheck.job.loading import check, is_own, load, made
from ckptcheck.job.options import parse


@dataclass(frozen=True)
class ShippedJob:
    """A job that ships with the tool.

    Attributes:
        name: Its name on the command line.
        target: Its class, as `ckptcheck.job.load` takes it.
        summary: What it is, for `ckptcheck jobs`.
        options: The class of its options.
        expected: The expected outcome of each of its restores.
        default_restores: The restores that `verify` uses by default.
        environment: The environment variables of its processes, whatever the shell sets.
        framework: The name of its framework.
    """

    name: str
    target: str
    summary: str
    options: type[Any]
    expected: Mapping[str, str]
    default_restores: tuple[str, ...]
    # Only the job that needs Keras 2 gets it.
    environment: Mapping[str, str] = field(default_factory=lambda: {"TF_USE_LEGACY_KERAS": "0"})
    framework: str = "tensorflow"
    # How prose names its restores: "A plain Saver brings every moving mean and variance back".
    in_prose: Mapping[str, str] = field(default_factory=dict)

    @property
    def style(self) -> str:
        """The style of a recipe: `keras` or `tf2`."""
        return self.name.partition("/")[0]

    @property
    def module(self) -> str:
        """The module of its class."""
        return self.target.partition(":")[0]

    def parse(self, given: Mapping[str, str]) -> Any:
        """Read option values from text, or raise `UsageError`."""
        return parse(self.options, self.name, given)


@dataclass(frozen=True)
class ShippedCommand:
    """A training script that ships with the tool, and is verified as a command.

    Attributes:
        name: Its name on the command line.
        module: The script, as a module; it takes the folder that it writes into.
        arguments: Its further arguments.
        summary: What it is, for `ckptcheck jobs`.
        expected: The expected outcome of its only restore, `restart`.
        library: The library that it trains with, as people call it.
        needs: The packages that it needs.
        style: The style whose remedies fit it.
    """

    name: str
    module: str
    arguments: tuple[str, ...]
    summary: str
    expected: Mapping[str, str]
    library: str
    needs: tuple[str, ...]
    style: str = "torch"

    @property
    def default_restores(self) -> tuple[str, ...]:
        """All of its restores."""
        return tuple(self.expected)

    @property
    def file(self) -> Path:
        """Its script. Loads no framework."""
        return _file(self.module)


@dataclass(frozen=True)
class Fix:
    """A recipe that recovers where a twin of it shows a cause.

    Attributes:
        broken: The recipe and restore that show the cause, as `keras/tf-data × backup`.
        fixed: The recipe and restore that recover.
        shows: The classes, methods and attributes to read, in the file of the fixed recipe.
    """

    broken: str
    fixed: str
    shows: tuple[str, ...]

    @property
    def style(self) -> str:
        """The style whose remedies fit both recipes: `keras`, `tf2` or `torch`."""
        return self._recipe.style

    @property
    def recipes(self) -> tuple[str, ...]:
        """The names of both recipes; one name, if they differ in the restore alone."""
        return tuple(dict.fromkeys(case.partition(" × ")[0] for case in (self.broken, self.fixed)))

    @property
    def file(self) -> Path:
        """The file of both recipes. Loads no framework."""
        return _file(self._recipe.module)

    @property
    def library(self) -> str | None:
        """The library that both recipes train with; None: that of their style."""
        return self._recipe.library if isinstance(self._recipe, ShippedCommand) else None

    @property
    def _recipe(self) -> "ShippedJob | ShippedCommand":
        return entry(self.recipes[-1])

    def code(self) -> str:
        """Return the lines to copy, from the source of the recipe, with the imports they need."""
        return excerpt(self.file.read_text(encoding="utf-8"), self.shows, self._recipe.module)


def _file(module: str) -> Path:
    """Return the file of a module, without loading it."""
    source = importlib.util.find_spec(module)
    assert source is not None
    assert source.origin is not None
    return Path(source.origin)


@dataclass(frozen=True)
class Registry:
    """All jobs that ship with the tool.

    Attributes:
        jobs: The jobs by name.
        default: The names of the jobs that `verify` uses by default.
        suites: The recipes of each report card.
        fixes: By cause, recipes that show it beside recipes that fix it.
    """

    jobs: Mapping[str, ShippedJob]
    default: tuple[str, ...]
    suites: Mapping[str, tuple[ShippedJob | ShippedCommand, ...]]
    fixes: Mapping[str, tuple[Fix, ...]] = field(default_factory=dict)

    @property
    def recipes(self) -> Mapping[str, ShippedJob | ShippedCommand]:
        """The recipes of all report cards by name."""
        return {recipe.name: recipe for suite in self.suites.values() for recipe in suite}


@cache
def registry() -> Registry:
    """Return all shipped jobs, without loading a framework."""
    whole: Registry = load("ckptcheck.jobs.registry:REGISTRY")
    return whole


def entry(name: str) -> ShippedJob | ShippedCommand:
    """Return the shipped job or recipe of that name; `UsageError` suggests the nearest names."""
    jobs, recipes = registry().jobs, registry().recipes
    job = jobs.get(name) or recipes.get(name)
    if job is None and name in registry().suites:
        raise UsageError(
            f"There is no job called {name!r}, but a suite: to verify its "
            f"{len(registry().suites[name])} recipes, write --suite {name}."
        )
    if job is None:
        raise unknown("job", name, {**jobs, **recipes} if "/" in name else jobs)
    return job


def shipped(name: str) -> ShippedJob:
    """Return the shipped job of that name; `UsageError` for a command, which is no job."""
    job = entry(name)
    if isinstance(job, ShippedCommand):
        raise UsageError(f"{name} is a command, and has no class.")
    return job


def command_named(name: str) -> ShippedCommand | None:
    """Return the shipped command of that name, if there is one."""
    recipe = registry().recipes.get(name)
    return recipe if isinstance(recipe, ShippedCommand) else None


def check_installed(commands: Iterable[ShippedCommand]) -> None:
    """Raise `NotVerifiedError` with the way to install what some commands need and is missing."""
    lacking = {
        command.name: [each for each in command.needs if importlib.util.find_spec(each) is None]
        for command in commands
    }
    names = [name for name, packages in lacking.items() if packages]
    missing = list(dict.fromkeys(each for packages in lacking.values() for each in packages))
    if not missing:
        return
    others = f" and {counted(len(names) - 1, 'other recipe')}" if names[1:] else ""
    raise NotVerifiedError(
        f"Not installed for {sys.executable}: {', '.join(missing)}. {names[0]}{others} "
        f"{'need' if others else 'needs'} {'them' if missing[1:] else 'it'}: "
        f"pip install {' '.join(missing)}"
    )


def in_prose(job: str) -> Mapping[str, str]:
    """Return how prose names the restores of a shipped job; empty for any other job."""
    entry = registry().jobs.get(job)
    return entry.in_prose if entry else {}


def fixes_for(cause: str, style: str | None = None) -> list[Fix]:
    """Return the fixes of a cause, of all styles or of one."""
    return [fix for fix in registry().fixes.get(cause, ()) if style in (None, fix.style)]


def recipes(suite: str) -> list[str]:
    """Return the names of the recipes of a suite, or raise `UsageError` with the nearest names."""
    suites = registry().suites
    if suite not in suites:
        raise unknown("suite", suite, suites)
    return [recipe.name for recipe in suites[suite]]


def make_job(name: str, given: Mapping[str, str], pickle: Path | None = None) -> tuple[Any, int]:
    """Return the shipped or own job of that name, and the seed of its initial values.

    Args:
        name: The name of the job.
        given: Option values of a shipped job.
        pickle: The file to unpickle the class or the instance from; None: import it by its name.
    """
    if is_own(name):
        own = made(name, load(name) if pickle is None else unpickled(pickle))
        check(own, name)
        return own, 0
    job = shipped(name)
    options = job.parse(given)
    return load(job.target)(options), options.seed
