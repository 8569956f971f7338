"""Saves and restores, noted where PyTorch and the libraries around it make them."""

import importlib
import os
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any

import torch

from ckptcheck.observer.hooks import when_imported
from ckptcheck.observer.observation import Observation
from ckptcheck.observer.wrapping import everywhere

# By module: the functions that save, each with the position of the path among its arguments; None:
# it has a name in any case.
_SAVING: dict[str, dict[str, int | None]] = {
    "safetensors.torch": {"save_file": 1, "save_model": 1},
    "torch.distributed.checkpoint": {"save": None, "async_save": None},
}
_LOADING: dict[str, dict[str, int | None]] = {
    "safetensors.torch": {"load_file": 0, "load_model": 1},
    "torch.distributed.checkpoint": {"load": None},
}
_PATHS = ("filename", "f", "checkpoint_id")
# What reads and writes in place of a path, and knows it.
_STORAGES = ("storage_writer", "storage_reader")


def watch(observation: Observation) -> None:
    """Note every save and every restore of the process."""
    _Saves(observation).watch()


class _Saves:
    def __init__(self, observation: Observation) -> None:
        self._observation = observation

    def watch(self) -> None:
        everywhere("torch", torch.serialization, "save", self._saving("torch.save", 1))
        everywhere("torch", torch.serialization, "load", self._loading("torch.load", 0))
        for module in {*_SAVING, *_LOADING}:
            when_imported(module, lambda module=module: self._watch_module(module))  # type: ignore[misc]

    def _watch_module(self, name: str) -> None:
        module, package = importlib.import_module(name), name.partition(".")[0]
        for function, place in _SAVING.get(name, {}).items():
            everywhere(package, module, function, self._saving(f"{name}.{function}", place))
        for function, place in _LOADING.get(name, {}).items():
            everywhere(package, module, function, self._loading(f"{name}.{function}", place))

    def _saving(self, what: str, place: int | None) -> Callable[..., Any]:
        def save(call: Callable[..., Any], /, *given: Any, **named: Any) -> Any:
            self._observation.saving()
            result = call(*given, **named)
            _wait_for(result)
            path = _path(given, named, place)
            if path is not None:
                self._observation.saved(what, path)
            return result

        return save

    def _loading(self, what: str, place: int | None) -> Callable[..., Any]:
        def load(call: Callable[..., Any], /, *given: Any, **named: Any) -> Any:
            path = _path(given, named, place)
            if path is None or not self._observation.is_inside(path):
                return call(*given, **named)  # other weights, or data
            self._observation.restoring(what, path, what)
            result = call(*given, **named)
            self._observation.restored()
            return result

        return load


def _wait_for(result: Any) -> None:
    """Wait until a save that goes on in a thread is done: what it writes has this step's values."""
    future = getattr(result, "upload_completion", result)
    if isinstance(future, Future):
        wait([future])


def _path(given: tuple[Any, ...], named: dict[str, Any], place: int | None) -> str | None:
    """Return the path of a file, given by name or opened; None: it is in memory."""
    found = given[place] if place is not None and len(given) > place else None
    storage = next((named[name] for name in _STORAGES if named.get(name) is not None), None)
    found = getattr(storage, "path", found)
    file = next((named[name] for name in _PATHS if named.get(name) is not None), found)
    if not isinstance(file, str | os.PathLike):  # a path has a name, too, which is no path
        file = getattr(file, "name", None)
    return os.fspath(file) if isinstance(file, str | os.PathLike) else None
