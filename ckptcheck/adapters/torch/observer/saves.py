"""Saves and restores, noted where PyTorch and the libraries around it make them."""

import importlib
import os
from collections.abc import Callable
from typing import Any

import torch

from ckptcheck.observer.hooks import when_imported
from ckptcheck.observer.observation import Observation
from ckptcheck.observer.wrapping import around, everywhere

# By module: the functions that save, each with the position of the path among its arguments.
_SAVING = {
    "safetensors.torch": {"save_file": 1, "save_model": 1},
}
_LOADING = {
    "safetensors.torch": {"load_file": 0, "load_model": 1},
}
_PATHS = ("filename", "f", "checkpoint_id")


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
        module = importlib.import_module(name)
        for function, place in _SAVING.get(name, {}).items():
            around(module, function, self._saving(f"{name}.{function}", place))
        for function, place in _LOADING.get(name, {}).items():
            around(module, function, self._loading(f"{name}.{function}", place))

    def _saving(self, what: str, place: int) -> Callable[..., Any]:
        def save(call: Callable[..., Any], /, *given: Any, **named: Any) -> Any:
            result = call(*given, **named)
            path = _path(given, named, place)
            if path is not None:
                self._observation.saved(what, path)
            return result

        return save

    def _loading(self, what: str, place: int) -> Callable[..., Any]:
        def load(call: Callable[..., Any], /, *given: Any, **named: Any) -> Any:
            path = _path(given, named, place)
            if path is None or not self._observation.is_inside(path):
                return call(*given, **named)  # other weights, or data
            self._observation.restoring(what, path, what)
            result = call(*given, **named)
            self._observation.restored()
            return result

        return load


def _path(given: tuple[Any, ...], named: dict[str, Any], place: int) -> str | None:
    """Return the path of a file, given by name or opened; None: it is in memory."""
    found = given[place] if len(given) > place else None
    file = next((named[name] for name in _PATHS if name in named), found)
    if not isinstance(file, str | os.PathLike):  # a path has a name, too, which is no path
        file = getattr(file, "name", None)
    return os.fspath(file) if isinstance(file, str | os.PathLike) else None
