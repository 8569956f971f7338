"""Saves and restores, noted where PyTorch makes them."""

import os
from collections.abc import Callable
from typing import Any

import torch

from ckptcheck.adapters.torch.observer.live import Live
from ckptcheck.job.protocol import POISON
from ckptcheck.observer.observation import Observation
from ckptcheck.observer.wrapping import everywhere


def watch(observation: Observation, live: Live) -> None:
    """Note every save and every restore of the process."""
    _Saves(observation, live).watch()


class _Saves:
    def __init__(self, observation: Observation, live: Live) -> None:
        self._observation = observation
        self._live = live

    def watch(self) -> None:
        everywhere("torch", torch.serialization, "save", self._on_save)
        everywhere("torch", torch.serialization, "load", self._on_load)

    def _on_save(
        self, call: Callable[..., Any], /, obj: Any, f: Any, *given: Any, **named: Any
    ) -> Any:
        result = call(obj, f, *given, **named)
        path = _path(f)
        if path is not None:
            self._observation.saved("torch.save", path)
        return result

    def _on_load(self, call: Callable[..., Any], /, f: Any, *given: Any, **named: Any) -> Any:
        path = _path(f)
        if path is None or not self._observation.is_inside(path):
            return call(f, *given, **named)
        is_first = self._observation.restoring("torch.load", path, "torch.load")
        request = self._observation.request
        if is_first and not request.is_control:
            self._live.poison(POISON, request.restored)
        result = call(f, *given, **named)
        self._observation.restored()
        return result


def _path(file: Any) -> str | None:
    """Return the path of a file, given by name or opened; None: it is in memory."""
    named = getattr(file, "name", file)
    return os.fspath(named) if isinstance(named, str | os.PathLike) else None
