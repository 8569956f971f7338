"""The jobs that ship with the tool, by name: the look-up. What there is stands in `ckptcheck.jobs`, which is found by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ckptcheck.errors import unknown
from ckptcheck.job.loading import check, is_own, load
from ckptcheck.job.options import parse


@dataclass(frozen=True)
class ShippedJob:
    """A job by name: where its class is, its options, and the outcome expected of each of its restores."""

    name: str
    target: str
    summary: str
    options: type[Any]
    expected: Mapping[str, str]
    # The restores that `verify` without arguments asks for.
    default_restores: tuple[str, ...]
    # Whatever the shell says: only the job that needs Keras 2 sees it.
    environment: Mapping[str, str] = field(default_factory=lambda: {"TF_USE_LEGACY_KERAS": "0"})
    framework: str = "tensorflow"
    # How prose names its restores: "A plain Saver brings every moving mean and variance back".
    in_prose: Mapping[str, str] = field(default_factory=dict)

    def parse(self, given: Mapping[str, str]) -> Any:
        """Read option values given as text, or raise `UsageError`."""
        return parse(self.options, self.name, given)


@dataclass(frozen=True)
class Registry:
    """All that ships: jobs by name, the names of those verified by default, and recipes by the report card they are on."""

    jobs: Mapping[str, ShippedJob]
    default: tuple[str, ...]
    suites: Mapping[str, tuple[ShippedJob, ...]]

    @property
    def recipes(self) -> Mapping[str, ShippedJob]:
        """The recipes of all report cards by name."""
        return {recipe.name: recipe for suite in self.suites.values() for recipe in suite}


@cache
def registry() -> Registry:
    """Return all that ships. It loads no framework."""
    whole: Registry = load("ckptcheck.jobs.registry:REGISTRY")
    return whole


def shipped(name: str) -> ShippedJob:
    """Return the shipped job, or the recipe, of that name, or raise `UsageError` with the nearest names."""
    jobs, recipes = registry().jobs, registry().recipes
    job = jobs.get(name) or recipes.get(name)
    if job is None:
        raise unknown("job", name, {**jobs, **recipes} if "/" in name else jobs)
    return job


def in_prose(job: str) -> Mapping[str, str]:
    """Return how prose names the restores of a job, by restore; empty for a job that says nothing."""
    entry = registry().jobs.get(job)
    return entry.in_prose if entry else {}


def recipes(suite: str) -> list[str]:
    """Return the names of the recipes of a suite, or raise `UsageError` with the nearest names."""
    suites = registry().suites
    if suite not in suites:
        raise unknown("suite", suite, suites)
    return [recipe.name for recipe in suites[suite]]


def make_job(name: str, given: Mapping[str, str]) -> tuple[Any, int]:
    """Return the job of that name, shipped or a user's own, and the seed of its initial values."""
    if is_own(name):
        job = load(name)()
        check(job, name)
        return job, 0
    entry = shipped(name)
    options = entry.parse(given)
    return load(entry.target)(options), options.seed
