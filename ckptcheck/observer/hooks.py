"""Import hooks: call an adapter once the program has imported its framework.

It uses the standard library alone, and imports the rest of ckptcheck only when a framework is
there: a process that imports none starts as fast as ever.
"""

import importlib
import importlib.abc
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

ENVIRONMENT = "CKPTCHECK_OBSERVER"


def install() -> None:
    """Watch for the imports that the request in the environment names."""
    request = json.loads(Path(os.environ[ENVIRONMENT]).read_text(encoding="utf-8"))
    for edge in request["edges"]:
        put = partial(_put_in_place, edge["target"], request)
        sys.meta_path.insert(0, _Watcher(edge["module"], edge["packages"], put))


def when_imported(module: str, call: Callable[[], None]) -> None:
    """Call a function once a module is there: now, or as soon as the program has imported it."""
    if module in sys.modules and not _is_initializing(sys.modules[module]):
        call()
    else:
        sys.meta_path.insert(0, _Watcher(module, (module,), call))


class _Watcher(importlib.abc.MetaPathFinder):
    """Finds no module itself: it wraps the loaders of some modules, to know when they are there."""

    def __init__(self, needed: str, modules: Iterable[str], call: Callable[[], None]) -> None:
        self._needed = needed
        self._modules = frozenset(modules)
        self._call = call
        self._is_finding = False

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self._modules or self._is_finding:
            return None
        self._is_finding = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._is_finding = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._loaded)
        return spec

    def _loaded(self) -> None:
        """Put the edge in place once none of the modules is still being imported."""
        there = [sys.modules[name] for name in self._modules if name in sys.modules]
        if any(map(_is_initializing, there)):
            return
        if self._needed in sys.modules and self in sys.meta_path:
            sys.meta_path.remove(self)
            self._call()


def _is_initializing(module: ModuleType) -> bool:
    return bool(getattr(module.__spec__, "_initializing", False))


class _Loader(importlib.abc.Loader):
    """A loader that calls back when the module is executed; all else is left to the first one."""

    def __init__(self, loader: Any, loaded: Callable[[], None]) -> None:
        self._loader = loader
        self._loaded = loaded

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        # The import system says only after this that the module is whole.
        initializing = getattr(module.__spec__, "_initializing", False)
        module.__spec__._initializing = False  # type: ignore[attr-defined]
        try:
            self._loaded()
        finally:
            module.__spec__._initializing = initializing  # type: ignore[attr-defined]


def _put_in_place(target: str, request: dict[str, Any]) -> None:
    """Call an adapter; an observer that fails must not fail the program."""
    try:
        # The environment of the program may have no ckptcheck, or a different one.
        sys.path.insert(0, request["home"])
        try:
            importlib.import_module("ckptcheck.observer")
        finally:
            sys.path.remove(request["home"])
        module, _, name = target.partition(":")
        getattr(importlib.import_module(module), name)(request)
    except Exception as error:
        note = (
            f"The command could not be observed: {type(error).__name__}: {error}. Is ckptcheck "
            f"installed for {sys.executable}?"
        )
        with Path(request["folder"], "trouble.txt").open("a", encoding="utf-8") as file:
            file.write(f"{note}\n")
