"""Keras 3 jobs that call `fit`: nothing of the loop is rewritten, one callback watches it."""

import gc
import inspect
import re
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tensorflow import _internals
from ckptcheck.adapters.tensorflow.callbacks import decisive
from ckptcheck.adapters.tensorflow.checkpoint import restore_checkpoint
from ckptcheck.adapters.tensorflow.contents import values_in
from ckptcheck.adapters.tensorflow.created import Created
from ckptcheck.adapters.tensorflow.variables import SEED, names_of, poison, state_of
from ckptcheck.adapters.tensorflow.watch import Watch
from ckptcheck.errors import NotVerifiedError
from ckptcheck.job.protocol import Loop, Restored, Tensor


class FitJob(ABC):
    """A job made of a compiled Keras model and a call of its `fit`.

    A subclass gives the model, the call, and the number of batches in an epoch. `restores` names the ways in which it is
    saved and restored:

    - `keras`: `model.save("….keras")`, `keras.models.load_model`;
    - `weights`: `model.save_weights("….weights.h5")`, `load_weights` into a new compiled model;
    - `checkpoint`: `tf.train.Checkpoint(model=model, optimizer=model.optimizer)`;
    - `backup`: `keras.callbacks.BackupAndRestore`, once an epoch;
    - `model-checkpoint`: `keras.callbacks.ModelCheckpoint("….keras")`, `load_model`.

    For another way override `save` and `restore`; callbacks that save by themselves find their folder in `self.folder`, and a
    restore that makes its model anew gives it to `replace_model`.
    """

    restores: Sequence[str] = ("keras", "weights", "checkpoint", "backup")
    framework = "keras"
    boundary_epochs = 2.0
    # Metrics are made in the first step.
    defers = True
    steps_per_epoch: int

    @abstractmethod
    def model(self) -> Any:
        """Return a new, compiled model."""

    @abstractmethod
    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        """Call `model.fit`, with these callbacks last among its own, for at least four epochs."""

    def validation(self) -> Any:
        """Return what `model.evaluate` takes, a data set or a pair (x, y). Default: the `validation_data` of `fit`."""
        return None

    def build(self, seed: int) -> None:
        """Make the model, its initial weights from `seed`."""
        if keras.backend.backend() != "tensorflow":
            raise NotVerifiedError(
                f"it runs on Keras' backend {keras.backend.backend()}; this adapter needs tensorflow"
            )
        keras.utils.set_random_seed(SEED)
        self._created = Created()
        self._validation: Any = None
        self._callbacks: Sequence[Any] = ()
        self._watch: Watch | None = None
        self._ours: Sequence[Any] = ()
        self.folder = Path()
        self.initial_epoch = 0
        with self._created.watching():
            self.live = self.model()
        if not isinstance(self.live, keras.Model) or not self.live.compiled:
            raise TypeError(
                f"model returned {type(self.live).__name__}; it must return a compiled keras.Model"
            )
        if seed != SEED:
            poison(self.live.trainable_variables, seed)
        self._restore, self.restore = self.restore, self._watched_restore  # type: ignore[method-assign]

    def _watched_restore(self, folder: Path, restore: str) -> Restored | None:
        """Restore, whoever wrote that, and notice what is made in it: the slots of an optimizer that is built there."""
        with self._created.watching():
            restored = self._restore(folder, restore)
        # Layers and optimizers lead to each other in circles; those that were replaced would live on in them.
        gc.collect()
        return restored

    def run(self, loop: Loop) -> None:
        """Call `fit` under watch."""
        self.folder = loop.folder
        self._watch = Watch(loop, self.steps_per_epoch, self._created)
        self._notice_arguments()
        # A resumed run has only the callback of its own restore: the other callbacks would restore, too.
        ways = self.restores if loop.restore is None else [loop.restore]
        saving = (
            [callback for way in ways for callback in self.callbacks_for(way)] if loop.saves else []
        )
        self._ours = [*saving, self._watch]
        with self._created.watching():
            self.fit(self.live, self._ours, self.initial_epoch)

    def next_step(self) -> int:
        """Return the position of `fit`: whole epochs, and the batch in the epoch that comes next."""
        assert self._watch is not None
        return self._watch.position

    def evaluate(self) -> float:
        """Return the loss of `model.evaluate`. The metrics of the epoch in progress are put back after it."""
        data = self.validation()
        data = self._validation if data is None else data
        if data is None:
            raise NotVerifiedError(
                "it shows no validation data: give `validation_data` to fit, or override `validation`"
            )
        kept = [
            (variable, np.array(variable))
            for metric in self.live.metrics
            for variable in metric.variables
        ]
        arguments = data if isinstance(data, tuple | list) else (data,)
        paused, self._created.paused = self._created.paused, True
        scores = self.live.evaluate(*arguments[:2], verbose=0, return_dict=True)
        self._created.paused = paused
        self.live.reset_metrics()  # those, too, that were made only now
        for variable, value in kept:
            variable.assign(value)
        return float(scores["loss"])

    def state(self) -> Mapping[str, Tensor]:
        """Return every variable of the model, its metrics and its optimizer, and all others made since the build."""
        return state_of([self.live], self._created.variables())

    def remembers(self) -> Mapping[str, Any]:
        """Return the callbacks of `fit` by the names of their classes."""
        return {type(callback).__name__: callback for callback in self._callbacks}

    def decisive(self) -> Mapping[str, str]:
        """Return what callbacks of `fit` remember that changes the training."""
        return decisive(self._callbacks)

    def save(self, folder: Path, step: int) -> None:
        """Save in each way that is no callback's."""
        if "keras" in self.restores:
            self.live.save(folder / f"model-{step}.keras")
        if "weights" in self.restores:
            self.live.save_weights(folder / f"model-{step}.weights.h5")
        if "checkpoint" in self.restores:
            manager = tf.train.CheckpointManager(
                self._checkpoint(), str(folder / "checkpoint"), max_to_keep=None
            )
            manager.save(checkpoint_number=step)

    def restore(self, folder: Path, restore: str) -> Restored | None:
        """Restore in the named way, and go on with the epoch that the checkpoint is of."""
        if restore == "checkpoint":
            return self._restore_checkpoint(folder / "checkpoint")
        if restore == "backup":  # by its callback, when `fit` begins
            return Restored(values=values_in(folder / "backup" / "latest.weights.h5"))
        if restore == "weights":
            path, self.initial_epoch = self._newest(folder, ".weights.h5")
            self.live.load_weights(path)
        elif restore == "keras":
            path, self.initial_epoch = self._newest(folder, ".keras")
            self.load_model(path)
        elif restore == "model-checkpoint":
            path = max((folder / restore).glob("*.keras"), key=lambda file: int(file.stem))
            self.initial_epoch = int(path.stem)
            self.load_model(path)
        else:
            raise NotImplementedError(f"override restore to say how {restore!r} is restored")
        return Restored(values=values_in(path))

    def _checkpoint(self) -> Any:
        return tf.train.Checkpoint(model=self.live, optimizer=self.live.optimizer)

    def _restore_checkpoint(self, folder: Path) -> Restored:
        prefix = tf.train.latest_checkpoint(str(folder))
        held, keys, values = restore_checkpoint(self._checkpoint(), prefix)
        self.initial_epoch = int(str(prefix).rsplit("-", 1)[-1]) // self.steps_per_epoch
        return Restored(
            lambda: keys(names_of([self.live], self._created.variables())), held, values
        )

    def replace_model(self, make: Callable[[], Any]) -> None:
        """Put another model in the place of the one that was built, as in a process that has built none."""
        self._created.forget(names_of([self.live]))
        self.live = None
        keras.utils.set_random_seed(SEED)
        _internals.restart_layer_names()
        with self._created.watching():
            self.live = make()

    def load_model(self, path: Path) -> None:
        """Put the model of a file in the place of the one that was built."""
        if path.suffix == ".keras" and path.is_file() and not zipfile.is_zipfile(path):
            # Keras says of it that it was not found.
            raise zipfile.BadZipFile(
                f"{path.name} is there, but it is no whole zip file ({path.stat().st_size} bytes)"
            )
        self.replace_model(lambda: keras.models.load_model(path))

    def _newest(self, folder: Path, ending: str) -> tuple[Path, int]:
        """Return the newest file of that ending, and the epoch that comes after it."""
        names = (re.fullmatch(rf"model-(\d+){ending}", file.name) for file in folder.iterdir())
        steps = [int(name[1]) for name in names if name]
        if not steps:
            raise FileNotFoundError(f"{folder} holds no model-N{ending}")
        return folder / f"model-{max(steps)}{ending}", max(steps) // self.steps_per_epoch

    def callbacks_for(self, restore: str) -> list[Any]:
        """Return the callbacks that save, and maybe restore, for one of the restores. They find their folder in `folder`."""
        if restore == "backup":
            return [keras.callbacks.BackupAndRestore(str(self.folder / "backup"))]
        if restore == "model-checkpoint":
            (self.folder / "model-checkpoint").mkdir(parents=True, exist_ok=True)
            return [
                keras.callbacks.ModelCheckpoint(
                    str(self.folder / "model-checkpoint" / "{epoch}.keras")
                )
            ]
        return []

    def _notice_arguments(self) -> None:
        """Take note of the callbacks and the validation data that `fit` is called with."""
        original = self.live.fit
        signature = inspect.signature(original)

        def fit(*positional: Any, **named: Any) -> Any:
            given = signature.bind(*positional, **named).arguments
            self._validation = given.get("validation_data")
            # Those that save for a restore are there only where that restore is.
            theirs = given.get("callbacks") or ()
            self._callbacks = [
                callback for callback in theirs if not any(callback is ours for ours in self._ours)
            ]
            return original(
                *positional, **{"verbose": 0} | named if "verbose" not in given else named
            )

        self.live.fit = fit


def _number(value: Any) -> float:
    return (
        np.inf if value is None else float(value)
    )  # None: nothing was seen yet that could be best
