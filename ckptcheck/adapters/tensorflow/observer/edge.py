"""Put the edge to TensorFlow in place: report what a process does with it."""

import sys
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tensorflow.observer import fit, loops, saves, sessions
from ckptcheck.adapters.tensorflow.observer.live import Live
from ckptcheck.arrays import Array
from ckptcheck.observer.hooks import when_imported
from ckptcheck.observer.observation import Observation
from ckptcheck.observer.program import Program
from ckptcheck.observer.request import Request
from ckptcheck.observer.wrapping import note_failures_in


def observe(document: Mapping[str, Any]) -> None:
    """Observe this process from now on.

    Args:
        document: what the launcher asks for, see `Request.of`.
    """
    note_failures_in(document["folder"])
    live = Live()
    counts = loops.Counts(live)
    program = Program(_as_loose_array)
    request = Request.of(document)
    observation = Observation(request, live.read, counts.read, program, live.poison)
    noted = saves.Saves(observation, live)
    noted.watch()
    sessions.watch(observation, live, counts)
    watcher = loops.Watcher(observation, counts)
    watcher.watch()

    def watch_keras(package: Any) -> None:
        live.watch_keras(package)
        noted.watch_keras(package)
        watcher.watch_keras(package)
        fit.watch_keras(package, observation, watcher, counts)

    watch_keras(keras)
    when_imported("tf_keras", lambda: watch_keras(sys.modules["tf_keras"]))


def _as_loose_array(value: Any) -> Array | None:
    """Return the values of a tensor in eager mode that belongs to no variable; None: it is none."""
    if not issubclass(type(value), tf.Tensor) or tf.is_symbolic_tensor(value):
        return None
    dtype = value.dtype
    is_number = dtype.is_floating or dtype.is_integer or dtype.is_bool or dtype.is_complex
    return np.array(value) if is_number else None
