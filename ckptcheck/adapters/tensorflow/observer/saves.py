"""Saves and restores, noted where TensorFlow and Keras make them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from ckptcheck.adapters.tensorflow import _internals, keras_2
from ckptcheck.adapters.tensorflow.fit import WHOLE_MODELS
from ckptcheck.adapters.tensorflow.observer.live import Live
from ckptcheck.observer.observation import Observation
from ckptcheck.observer.wrapping import around, everywhere

tf1 = tf.compat.v1

_PATHS = ("filepath", "save_path")


def watch(observation: Observation, live: Live) -> None:
    """Note every save and every restore of the process."""
    _Saves(observation, live).watch()


class _Saves:
    def __init__(self, observation: Observation, live: Live) -> None:
        self._observation = observation
        self._live = live

    def watch(self) -> None:
        for name in ("save", "write"):
            around(tf.train.Checkpoint, name, self._saving("tf.train.Checkpoint"))
        around(tf.train.CheckpointManager, "save", self._saving("tf.train.CheckpointManager"))
        around(tf1.train.Saver, "save", self._saving("tf.train.Saver", place=1))
        for name in ("restore", "read"):
            around(tf.train.Checkpoint, name, self._restoring("tf.train.Checkpoint", place=1))
        around(tf1.train.Saver, "restore", self._restore_session)
        for package in filter(None, (keras, keras_2.keras_2())):
            for name in ("save", "save_weights"):
                around(package.Model, name, self._saving(f"Model.{name}"))
            around(package.Model, "load_weights", self._restoring("Model.load_weights", place=1))
            loading = self._restoring("load_model", place=0)
            name = package.__name__
            everywhere(name, _internals.loading_module(package), "load_model", loading)

    def _saving(self, what: str, place: int = 0) -> Callable[..., Any]:
        def save(call: Callable[..., Any], item: Any, /, *given: Any, **named: Any) -> Any:
            result = call(item, *given, **named)
            path = _path(given, named, place, result)
            self._observation.saved(what, str(path))
            return result

        return save

    def _restoring(self, what: str, place: int) -> Callable[..., Any]:
        def restore(call: Callable[..., Any], /, *given: Any, **named: Any) -> Any:
            self._begin(what, _path(given, named, place, ""))
            result = call(*given, **named)
            self._observation.restored()
            return result

        return restore

    def _restore_session(
        self, call: Callable[..., Any], saver: Any, /, sess: Any, save_path: Any
    ) -> None:
        # The session of a MonitoredSession may be wrapped. Once one trains, others evaluate.
        if not self._live.has_trained:
            self._live.session = sess
        self._begin("tf.train.Saver", save_path)
        call(saver, sess, save_path)
        self._observation.restored()

    def _begin(self, what: str, path: Any) -> None:
        self._observation.restoring(what, str(path), _way(what, str(path)))


def _path(given: Sequence[Any], named: Mapping[str, Any], place: int, default: Any) -> Any:
    """Return the path among the arguments of a save or a restore, which each names in its way."""
    if len(given) > place:
        return given[place]
    return next((named[name] for name in _PATHS if name in named), default)


def _way(what: str, path: str) -> str:
    """Return what the restore of a job that does the same is called; empty: nothing."""
    if what == "load_model":
        return next(
            (way for way, end in WHOLE_MODELS.items() if end and path.endswith(end)), "saved-model"
        )
    if what == "Model.load_weights":
        return "backup" if path.endswith("latest.weights.h5") else "weights"
    return {"tf.train.Checkpoint": "checkpoint", "tf.train.Saver": "saver"}[what]
