"""Keras 3 jobs that call `fit`: nothing of the loop is rewritten, one callback watches it."""

import gc
import inspect
import io
import math
import re
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state

from ckptcheck.adapters.tf2 import restore_checkpoint
from ckptcheck.adapters.tf_variables import SEED, Created, names_of, poison, state_of
from ckptcheck.errors import NotVerifiedError
from ckptcheck.job.protocol import Loop, Restored, Step, Tensor
from ckptcheck.kinds import Kind
from ckptcheck.run.digests import digest

# Where the wrapped train step puts what it did into the logs; taken out again before Keras sees them.
SHOWN = "ckptcheck"

# Callbacks of Keras that change the training by what they remember, and the attributes that they remember it in.
REMEMBERED = {
    keras.callbacks.ReduceLROnPlateau: ("best", "wait", "cooldown_counter"),
    keras.callbacks.EarlyStopping: ("best", "wait", "best_epoch", "stopped_epoch"),
    keras.callbacks.ModelCheckpoint: ("best",),
}


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
            raise NotVerifiedError(f"it runs on Keras' backend {keras.backend.backend()}; this adapter needs tensorflow")
        keras.utils.set_random_seed(SEED)
        self._created = Created()
        self._validation: Any = None
        self._callbacks: Sequence[Any] = ()
        self._watch: _Watch | None = None
        self._ours: Sequence[Any] = ()
        self.folder = Path()
        self.initial_epoch = 0
        with self._created.watching():
            self.live = self.model()
        if not isinstance(self.live, keras.Model) or not self.live.compiled:
            raise TypeError(f"model returned {type(self.live).__name__}; it must return a compiled keras.Model")
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
        self._watch = _Watch(loop, self)
        self._notice_arguments(self.live)
        # A resumed run has the callback of its own restore alone: another one would restore, too.
        ways = self.restores if loop.restore is None else [loop.restore]
        saving = [callback for way in ways for callback in self.callbacks_for(way)] if loop.saves else []
        self._ours = [*saving, self._watch]
        with self._created.watching():
            self.fit(self.live, self._ours, self.initial_epoch)

    def stepped(self) -> None:
        """Take note that a step was made: what is created from now on is nothing that training began with."""
        self._created.paused = True

    def next_step(self) -> int:
        """Return the position of `fit`: whole epochs, and the batch in the epoch that comes next."""
        assert self._watch is not None
        return self._watch.position

    def evaluate(self) -> float:
        """Return the loss of `model.evaluate`. The metrics of the epoch in progress are put back after it."""
        data = self.validation()
        data = self._validation if data is None else data
        if data is None:
            raise NotVerifiedError("it shows no validation data: give `validation_data` to fit, or override `validation`")
        metrics = [variable for metric in self.live.metrics for variable in metric.variables]
        kept = [np.array(variable) for variable in metrics]
        arguments = data if isinstance(data, tuple | list) else (data,)
        paused, self._created.paused = self._created.paused, True
        found = self.live.evaluate(*arguments[:2], verbose=0, return_dict=True)
        self._created.paused = paused
        self.live.reset_metrics()  # those, too, that were made only now
        for variable, value in zip(metrics, kept, strict=True):
            variable.assign(value)
        return float(found["loss"])

    def state(self) -> Mapping[str, Tensor]:
        """Return every variable of the model, its metrics and its optimizer, and all others made since the build."""
        return state_of([self.live], self._created.variables()) | _remembered(self._callbacks)

    def remembers(self) -> Mapping[str, Any]:
        """Return the callbacks of `fit` by the names of their classes."""
        return {type(callback).__name__: callback for callback in self._callbacks}

    def save(self, folder: Path, step: int) -> None:
        """Save in each way that is no callback's."""
        for restore in self.restores:
            if restore in SAVERS:
                SAVERS[restore](self.live, folder, step)

    def restore(self, folder: Path, restore: str) -> Restored | None:
        """Restore in the named way, and go on with the epoch that the checkpoint is of."""
        if restore == "keras":
            path, self.initial_epoch = self._newest(folder, ".keras")
            self.load_model(path)
            return Restored(values=_values_in(path))
        if restore == "model-checkpoint":
            path = max((folder / "model-checkpoint").glob("*.keras"), key=lambda each: int(each.stem))
            self.initial_epoch = int(path.stem)
            self.load_model(path)
            return Restored(values=_values_in(path))
        if restore == "weights":
            path, self.initial_epoch = self._newest(folder, ".weights.h5")
            self.live.load_weights(path)
            return Restored(values=_values_in(path))
        if restore == "checkpoint":
            checkpoint = tf.train.Checkpoint(model=self.live, optimizer=self.live.optimizer)
            prefix = tf.train.latest_checkpoint(str(folder / "checkpoint"))
            held, keys, values = restore_checkpoint(checkpoint, prefix)
            self.initial_epoch = int(str(prefix).rsplit("-", 1)[-1]) // self.steps_per_epoch
            return Restored(lambda: keys(names_of([self.live], self._created.variables())), held, values)
        if restore == "backup":
            return Restored(values=_values_in(folder / "backup" / "latest.weights.h5"))
        raise NotImplementedError(f"override restore to say how {restore!r} is restored")
        return None

    def replace_model(self, make: Callable[[], Any]) -> None:
        """Put another model in the place of the one that was built, as in a process that has built none."""
        self._created.forget(names_of([self.live]))
        self.live = None
        keras.utils.set_random_seed(SEED)
        # Layers are numbered from the beginning; clear_session would also take back policies that the program has set.
        global_state.set_global_attribute("object_name_uids", None)
        with self._created.watching():
            self.live = make()

    def load_model(self, path: Path) -> None:
        """Put the model of a file in the place of the one that was built."""
        if path.suffix == ".keras" and path.is_file() and not zipfile.is_zipfile(path):
            # Keras says of it that it was not found.
            raise zipfile.BadZipFile(f"{path.name} is there, but it is no whole zip file ({path.stat().st_size} bytes)")
        self.replace_model(lambda: keras.models.load_model(path))

    def _newest(self, folder: Path, ending: str) -> tuple[Path, int]:
        """Return the newest file of that ending, and the epoch that comes after it."""
        steps = [int(found[1]) for each in folder.iterdir() if (found := re.fullmatch(rf"model-(\d+){ending}", each.name))]
        if not steps:
            raise FileNotFoundError(f"{folder} holds no model-N{ending}")
        return folder / f"model-{max(steps)}{ending}", max(steps) // self.steps_per_epoch

    def callbacks_for(self, restore: str) -> list[Any]:
        """Return the callbacks that save, and maybe restore, for one of the restores. They find their folder in `folder`."""
        if restore == "backup":
            return [keras.callbacks.BackupAndRestore(str(self.folder / "backup"))]
        if restore == "model-checkpoint":
            (self.folder / "model-checkpoint").mkdir(parents=True, exist_ok=True)
            return [keras.callbacks.ModelCheckpoint(str(self.folder / "model-checkpoint" / "{epoch}.keras"))]
        return []

    def _notice_arguments(self, model: Any) -> None:
        """Take note of the callbacks and the validation data that `fit` is called with."""
        original = model.fit
        signature = inspect.signature(original)

        def fit(*positional: Any, **named: Any) -> Any:
            given = signature.bind(*positional, **named).arguments
            self._validation = given.get("validation_data")
            # Those that save for a restore are there only where that restore is.
            self._callbacks = [each for each in given.get("callbacks") or () if not any(each is ours for ours in self._ours)]
            return original(*positional, **{"verbose": 0} | named if "verbose" not in given else named)

        model.fit = fit


def _values_in(path: Path) -> list[str]:
    """Return the digest of every array in a file of Keras: HDF5, or a zip file that holds one."""
    found: list[str] = []

    def take(_: str, each: Any) -> None:
        if isinstance(each, h5py.Dataset):
            found.append(digest(np.asarray(each)))

    if not path.is_file():
        return found
    source = io.BytesIO(zipfile.ZipFile(path).read("model.weights.h5")) if zipfile.is_zipfile(path) else path
    with h5py.File(source, "r") as file:
        file.visititems(take)
    return found


def _save_keras(model: Any, folder: Path, step: int) -> None:
    model.save(folder / f"model-{step}.keras")


def _save_weights(model: Any, folder: Path, step: int) -> None:
    model.save_weights(folder / f"model-{step}.weights.h5")


def _save_checkpoint(model: Any, folder: Path, step: int) -> None:
    checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
    tf.train.CheckpointManager(checkpoint, str(folder / "checkpoint"), max_to_keep=None).save(checkpoint_number=step)


SAVERS: dict[str, Callable[[Any, Path, int], None]] = {
    "keras": _save_keras,
    "weights": _save_weights,
    "checkpoint": _save_checkpoint,
}


def _remembered(callbacks: Sequence[Any]) -> dict[str, Tensor]:
    """Return what callbacks remember that change the training by it."""
    found: dict[str, Tensor] = {}
    for callback in callbacks:
        for kind, names in REMEMBERED.items():
            if isinstance(callback, kind):
                found |= {
                    f"callbacks/{kind.__name__}/{name}": Tensor(Kind.PYTHON, np.array(_remembered_number(callback, name)))
                    for name in names
                }
    return found


def _seen(tensor: Any) -> Any:
    """Return a tensor as an array, without a copy where it has a buffer; text as bytes of one length."""
    if tensor.dtype == tf.string:
        return np.asarray(tensor.numpy()).astype(np.bytes_)
    try:
        return np.asarray(memoryview(tensor))
    except (TypeError, ValueError, BufferError, NotImplementedError):  # such as bfloat16
        return np.asarray(tensor)


def _remembered_number(callback: Any, name: str) -> float:
    value = getattr(callback, name, None)
    return np.inf if value is None else float(value)  # None: nothing was seen yet that could be best


class _Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells a loop of the steps of `fit`: loss, batch and learning rate of each."""

    def __init__(self, loop: Loop, job: FitJob) -> None:
        super().__init__()
        self._loop = loop
        self._job = job
        self._shown: Any = None
        self._loss: Any = None
        self.position = 0
        self._epoch = 0
        self._ended = 0  # batches of this epoch
        self._announced = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Have the train step show what it does."""
        model = self.model
        if model.steps_per_execution != 1:
            raise NotVerifiedError(
                f"its model runs {model.steps_per_execution} steps at once, which cannot be told apart: compile it with "
                "steps_per_execution=1"
            )
        steps = self.params.get("steps")
        if steps is not None and steps != self._job.steps_per_epoch:
            raise NotVerifiedError(
                f"its steps_per_epoch is {self._job.steps_per_epoch}, but an epoch of its fit has {steps} batches. "
                f"Write steps_per_epoch = {steps}"
            )
        optimizer = model.optimizer
        if optimizer is not None and not optimizer.built and all(layer.built for layer in model._flatten_layers()):
            # What the first step would do. Slots that wait for their values from a checkpoint get them here.
            optimizer.build(model.trainable_variables)
        self._show_steps(model)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Take note of the position."""
        self._epoch = epoch
        self._ended = 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Tell that a step comes."""
        if self._ended == self._job.steps_per_epoch:
            return  # of data whose length is not known Keras asks for one batch more
        self._announced = True
        self.position = self._epoch * self._job.steps_per_epoch + batch
        self._loop.before_step()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Tell what the step did."""
        if not self._announced:
            raise NotVerifiedError(
                f"its steps_per_epoch is {self._job.steps_per_epoch}, but an epoch of its fit has more batches than that"
            )
        self._announced = False
        self._ended += 1
        self._job.stepped()
        if self._shown is None:
            self._loop.after_step(Step(loss=(logs or {}).get("loss", "not shown")))
            return
        numbers, *data = self._shown
        loss, rate = numbers.numpy().tolist()
        seen = [_seen(each) for each in data]
        self._loop.after_step(Step(loss, seen, learning_rate=None if math.isnan(rate) else rate))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Tell that this is where people save."""
        if self._ended != self._job.steps_per_epoch:
            raise NotVerifiedError(
                f"its steps_per_epoch is {self._job.steps_per_epoch}, but epoch {epoch} of its fit had {self._ended} batches"
            )
        self._loop.may_save()

    def _show_steps(self, model: Any) -> None:
        """Let the train step return its loss, its learning rate and its batch too.

        They come out of the same graph: what is recorded is what was used, whatever reads ahead. Keras' own `loss` is the
        mean over the epoch so far.
        """
        if getattr(model.train_function, "__name__", "") == SHOWN:
            return  # by an earlier call of fit
        train_step, compute_loss = model.train_step, model.compute_loss

        def shown_loss(*arguments: Any, **named: Any) -> Any:
            self._loss = compute_loss(*arguments, **named)
            return self._loss

        def shown_step(*arguments: Any, **named: Any) -> Any:
            self._loss = None
            optimizer = model.optimizer
            rate = np.nan if optimizer is None else tf.convert_to_tensor(optimizer.learning_rate)
            logs = train_step(*arguments, **named)
            if not isinstance(logs, dict):
                return logs
            loss = logs.get("loss", np.nan) if self._loss is None else self._loss
            # Both in one tensor, wide enough to hold either exactly: every output of the graph costs time.
            numbers = tf.stack([tf.cast(loss, tf.float64), tf.cast(rate, tf.float64)])
            data = tf.nest.flatten((arguments, named), expand_composites=True)
            return logs | {SHOWN: (numbers, *(each for each in data if tf.is_tensor(each)))}

        model.compute_loss, model.train_step = shown_loss, shown_step
        model.make_train_function(force=True)
        train_function = model.train_function

        def train(iterator: Any) -> Any:
            logs = train_function(iterator)
            self._shown = logs.pop(SHOWN, None) if isinstance(logs, dict) else None
            return logs

        train.__name__ = SHOWN
        model.train_function = train
