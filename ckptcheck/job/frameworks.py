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
from ckptcheck.job.shipped import registry, shipped


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
        numerics: A function that returns what else decides the last bits of a result in this
            process, by name.
        settings: What may make a run reproducible, as its program would write it, and whether
            it has an effect on a device alone; the last one changes most.
        apply: A function that puts one of these settings in place.
        state_of: A function that returns the live state of objects of the framework.
        style_of: A function that returns the style of a script that has these objects.
        arrays_of: A function that returns the arrays of a batch of tensors.
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
    numerics: str | None = None
    settings: Mapping[str, bool] = field(default_factory=dict)
    apply: str | None = None
    state_of: str | None = None
    style_of: str | None = None
    arrays_of: str | None = None
    remedies: str | None = None
    fit_callback: str | None = None
    observer: str | None = None
    saved_nothing: Mapping[tuple[str, str], str] = field(default_factory=dict)
    restores_at_once: bool = False

    @property
    def is_loaded(self) -> bool:
        """Whether this process has loaded the framework."""
        return self.module in sys.modules

    @property
    def modules(self) -> frozenset[str]:
        """The names of the modules that it is imported by."""
        return frozenset((self.module, *(each.replace("-", "_") for each in self.packages)))

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
        return any(name in source for name in self.modules)


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


def default_jobs() -> tuple[str, ...]:
    """Return the shipped jobs to verify by default: those of the first installed framework.

    Without any, those of the first, whose processes report how to install it.
    """
    by_framework: dict[str, list[str]] = {}
    for name in registry().default:
        by_framework.setdefault(shipped(name).framework, []).append(name)
    modules = {each.name: each.module for each in frameworks()}
    installed = (
        name for name in by_framework if importlib.util.find_spec(modules[name]) is not None
    )
    return tuple(by_framework[next(installed, next(iter(by_framework)))])


def how_to_install(module: str) -> str | None:
    """Return how to install a missing module, or None where no framework brings it."""
    for framework in frameworks():
        if module.partition(".")[0] in framework.modules:
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


def numerics() -> dict[str, str]:
    """Return what else decides the last bits of a result in this process, by name."""
    return {
        name: value
        for each in frameworks()
        if each.is_loaded and each.numerics
        for name, value in load(each.numerics)().items()
    }


def settings(environment: Mapping[str, str]) -> list[str]:
    """Return what may make a run in that environment reproducible, see `Framework.settings`.

    Args:
        environment: What describes the process of the run.
    """
    return [
        setting
        for each in frameworks()
        if (device := environment.get(f"{each.name} device"))
        for setting, of_device in each.settings.items()
        if device != "cpu" or not of_device
    ]


def state_of(objects: Sequence[Any] = ()) -> Callable[[Sequence[Any]], Mapping[str, Any]]:
    """Return the function that reads the live state of some objects: that of their framework.

    Raises:
        UsageError: No framework is loaded.
    """
    framework = _framework_of(objects, "state_of")
    if framework is None:
        raise UsageError(
            "The state is a sequence of objects, but this process has loaded no framework that "
            "could read them. Import the framework first, or pass a function that returns arrays "
            "by name."
        )
    function: Callable[[Sequence[Any]], Mapping[str, Any]] = load(framework.state_of or "")
    return function


def style_of(objects: Sequence[Any]) -> str:
    """Return the style of a script whose state are these objects, as its framework tells it."""
    framework = _framework_of(objects, "style_of")
    return "" if framework is None else str(load(framework.style_of or "")(objects))


def arrays_of(batch: Any) -> Any:
    """Return the arrays of a batch that holds tensors of a framework; any other batch as it is."""
    items = batch.values() if isinstance(batch, Mapping) else batch
    if isinstance(items, str | bytes) or not isinstance(items, Iterable):
        return batch
    framework = next((each for each in _owners_of(items) if each.arrays_of), None)
    return batch if framework is None else load(framework.arrays_of or "")(batch)


def _framework_of(objects: Sequence[Any], does: str) -> Framework | None:
    """Return the framework of some objects that declares a function, else any that is loaded."""
    known = [each for each in frameworks() if each.is_loaded and getattr(each, does)]
    return next((each for each in _owners_of(objects) if each in known), next(iter(known), None))


def _owners_of(objects: Iterable[Any]) -> list[Framework]:
    """Return the loaded frameworks of which some objects are, by the modules of their classes."""
    roots = {base.__module__.partition(".")[0] for each in objects for base in type(each).__mro__}
    return [each for each in frameworks() if each.is_loaded and roots & each.modules]


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
