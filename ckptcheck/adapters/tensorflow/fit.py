"""`FitJob`: Keras jobs that train with `fit`. The loop is Keras' own; a callback records it."""

import contextlib
import inspect
import re
import tempfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from ckptcheck.adapters.tensorflow import _internals, keras_2
from ckptcheck.adapters.tensorflow.callbacks import decisive
from ckptcheck.adapters.tensorflow.checkpoint import restore_checkpoint
from ckptcheck.adapters.tensorflow.contents import contents, values_in
from ckptcheck.adapters.tensorflow.created import Created
from ckptcheck.adapters.tensorflow.evaluation import evaluation_loss
from ckptcheck.adapters.tensorflow.variables import SEED, names_of, poison, state_of
from ckptcheck.adapters.tensorflow.watch import CountedError, StepCount, Watch, of_its_keras
from ckptcheck.errors import NotVerifiedError, UsageError, did_you_mean
from ckptcheck.job.protocol import Loop, Restored, Tensor
from ckptcheck.run.digests import digest

# The restores that `FitJob` implements.
RESTORES = ("keras", "weights", "checkpoint", "backup", "model-checkpoint", "h5", "saved-model")


# The endings of the files that hold a whole model; a SavedModel is a folder.
WHOLE_MODELS = {"keras": ".keras", "h5": ".h5", "saved-model": ""}

_NO_CALLBACKS = (
    "`fit` did not pass `callbacks` to model.fit, so ckptcheck saw 0 steps. Write "
    "model.fit(…, callbacks=callbacks)"
)


class FitJob(ABC):
    """A job made of a compiled Keras model and a call of its `fit`.

    A subclass provides the model and the call. `restores` names the ways to save and restore it:

    - `keras`: `model.save("….keras")` and `keras.models.load_model`;
    - `weights`: `model.save_weights("….weights.h5")`, and `load_weights` into a new compiled
      model;
    - `checkpoint`: `tf.train.Checkpoint(model=model, optimizer=model.optimizer)`;
    - `backup`: `keras.callbacks.BackupAndRestore`, once an epoch;
    - `model-checkpoint`: `keras.callbacks.ModelCheckpoint("….keras")` and `load_model`;
    - `h5`: `model.save("….h5")` and `load_model`;
    - `saved-model`: `model.save(folder)` and `load_model`, in Keras 2 alone.

    The model belongs to Keras 3 or, in TensorFlow's older `tf_keras`, to Keras 2.

    To save or restore in a different way, override `save` and `restore`. A callback that saves
    by itself writes into `self.folder`; override `callbacks_for` to add it. A restore that creates
    a new model passes it to `replace_model`. A restore sets `self.initial_epoch`, the epoch to
    continue with, only if it differs from the epoch of the checkpoint.

    Attributes:
        steps_per_epoch: number of batches in an epoch. Default: `fit` is called once more, in a
            process of its own, to count them.
        restores: names of the ways to restore; default: `keras`, `weights`, `checkpoint` and
            `backup`.
        boundary_epochs: number of epochs after which the job is saved; default: 2.0.
        folder: the folder that this run saves into.

    Example:
        ```python
        class Train(FitJob):
            restores = ("keras", "backup")

            def model(self):
                model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
                model.compile("adam", "mse")
                return model

            def fit(self, model, callbacks, initial_epoch):
                model.fit(
                    x, y, batch_size=32, epochs=5, validation_data=(x_val, y_val),
                    callbacks=callbacks, initial_epoch=initial_epoch,
                )
        ```
    """

    restores: Sequence[str] = ("keras", "weights", "checkpoint", "backup")
    framework = "keras"
    boundary_epochs = 2.0
    # Keras creates metrics in the first step.
    defers = True
    steps_per_epoch: int

    @abstractmethod
    def model(self) -> Any:
        """Return a new, compiled model."""

    @abstractmethod
    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        """Call `model.fit` for at least four epochs.

        Args:
            model: the model to train.
            callbacks: the callbacks of ckptcheck. Pass them after any of your own.
            initial_epoch: the epoch to start with, counted from 0. Pass it on to `model.fit`.
        """

    def validation(self) -> Any:
        """Return the data for `model.evaluate`: a dataset, or a pair (x, y).

        Default: the `validation_data` that `fit` passes.
        """
        return None

    def build(self, seed: int) -> None:
        """Set all seeds and create the model.

        Args:
            seed: 0 in a control. Any other seed also perturbs the trainable variables, so that
                a restore that does nothing cannot pass.

        Raises:
            NotVerifiedError: Keras runs on a backend other than TensorFlow.
            UsageError: nothing implements one of the names in `restores`.
            TypeError: `model` returned something other than a compiled model of Keras.
        """
        if keras.backend.backend() != "tensorflow":
            raise NotVerifiedError(
                f"Keras runs on the backend {keras.backend.backend()}, but FitJob needs "
                "tensorflow. Set KERAS_BACKEND=tensorflow"
            )
        self._check_restores()
        keras_2.set_random_seed(SEED)
        self._created = Created()
        self._validation: Any = None
        self._validates: Mapping[str, Any] = {}
        self._validation_split: Any = None
        self._callbacks: Sequence[Any] = ()
        self._watch: Watch | None = None
        self._ours: Sequence[Any] = ()
        self.folder = Path()
        self.initial_epoch = 0
        with self._created.watching():
            self.live = self.model()
        if not keras_2.is_model(self.live):
            returned = type(self.live).__name__
            raise TypeError(f"model must return a compiled keras.Model, but it returned {returned}")
        self._keras = keras_2.keras_of(self.live)
        if not _internals.is_compiled(self.live):
            raise TypeError(
                f"model must return a compiled keras.Model, but its {type(self.live).__name__} is "
                "not compiled. Call model.compile before returning it"
            )
        if seed != SEED:
            poison(self.live.trainable_variables, seed)
        self._restore, self.restore = self.restore, self._watched_restore  # type: ignore[method-assign]

    def _check_restores(self) -> None:
        if getattr(self.restore, "__func__", None) is not FitJob.restore:
            return  # an override may implement any name
        for name in self.restores:
            if name not in RESTORES:
                raise UsageError(_no_such_restore(name))

    def _watched_restore(self, folder: Path, restore: str) -> Restored | None:
        """Restore, also by an override, and track the variables that are created meanwhile.

        An optimizer that is built during the restore creates its slots there.
        """
        with self._created.watching():
            return self._restore(folder, restore)

    def count_steps(self) -> int:
        """Return the number of batches in an epoch, as Keras knows it or by training one epoch."""
        self.build(SEED)
        count = of_its_keras(StepCount, self.live)()
        self._ours = [count]
        self._capture_arguments()
        with tempfile.TemporaryDirectory() as folder:
            self.folder = Path(folder)
            with contextlib.suppress(CountedError):
                self.fit(self.live, self._ours, self.initial_epoch)
        if count.steps is None:
            raise NotVerifiedError(_NO_CALLBACKS)
        return count.steps

    def run(self, loop: Loop) -> None:
        """Call `fit`, and report its steps to `loop`.

        Raises:
            NotVerifiedError: `fit` did not pass on `callbacks`.
        """
        self.folder = loop.folder
        watch = of_its_keras(Watch, self.live)
        self._watch = watch(loop, self.steps_per_epoch, self._created)
        self._capture_arguments()
        # A resumed run gets only the callbacks of its own restore: others would restore, too.
        restores = self.restores if loop.restore is None else [loop.restore]
        saving = (
            [callback for restore in restores for callback in self.callbacks_for(restore)]
            if loop.saves
            else []
        )
        self._ours = [*saving, self._watch]
        with self._created.watching():
            self.fit(self.live, self._ours, self.initial_epoch)
        if not self._watch.began:
            raise NotVerifiedError(_NO_CALLBACKS)

    def next_step(self) -> int:
        """Return the index of the next training step, counted from 0 over all epochs."""
        assert self._watch is not None
        position: int = self._watch.position
        return position

    def evaluate(self) -> float:
        """Return the loss of `model.evaluate`, with the batch size and the steps of `model.fit`.

        The metrics of the epoch in progress keep their values.

        Raises:
            NotVerifiedError: there is no validation data.
        """
        data, how = self.validation(), self._validates
        if data is None:
            data = self._validation
        else:  # The steps are those of other data, and data in batches take no size.
            how = {"batch_size": how.get("batch_size")} if isinstance(data, tuple | list) else {}
        if data is None:
            split = self._validation_split
            found = f": validation_split={split} of model.fit is not enough. P" if split else ": p"
            raise NotVerifiedError(
                f"there is no validation data{found}ass `validation_data` to model.fit, or "
                "override `validation`"
            )
        paused, self._created.paused = self._created.paused, True
        loss = evaluation_loss(self.live, data, **how)
        self._created.paused = paused
        return loss

    def state(self) -> Mapping[str, Tensor]:
        """Return every variable of the model, its metrics and its optimizer.

        Variables created since the build are included, wherever they belong.
        """
        return state_of(self._objects(), self._created.variables())

    def _objects(self) -> list[Any]:
        """Return the model, and optimizers besides its own."""
        return [self.live, *self._created.optimizers()]

    def remembers(self) -> Mapping[str, Any]:
        """Return the callbacks that were passed to `model.fit`, by class name."""
        return {type(callback).__name__: callback for callback in self._callbacks}

    def decisive(self) -> Mapping[str, str]:
        """Return the callback attributes that change the training, as `Class.attribute`."""
        return decisive(self._callbacks)

    def save(self, folder: Path, step: int) -> None:
        """Save into `folder` for each restore that no callback saves for.

        Raises:
            NotVerifiedError: one of several saves raised.
        """
        for restore in self.restores:
            try:
                self._save_for(restore, folder, step)
            except Exception as error:
                others = tuple(each for each in self.restores if each != restore)
                if not others:
                    raise
                raise NotVerifiedError(
                    f"the save for {restore} failed. To judge the others, write restores = "
                    f"{others}. The error is {type(error).__name__}: {error}"
                ) from error

    def _save_for(self, restore: str, folder: Path, step: int) -> None:
        if restore in WHOLE_MODELS:
            self.live.save(str(folder / f"model-{step}{WHOLE_MODELS[restore]}"))
        elif restore == "weights":
            self.live.save_weights(str(folder / f"model-{step}.weights.h5"))
        elif restore == "checkpoint":
            manager = tf.train.CheckpointManager(
                self._checkpoint(), str(folder / "checkpoint"), max_to_keep=None
            )
            manager.save(checkpoint_number=step)

    def restore(self, folder: Path, restore: str) -> Restored | None:
        """Restore the newest checkpoint in `folder`, and set the epoch to continue with.

        Args:
            folder: what the control saved.
            restore: one of the names in `restores`.

        Raises:
            FileNotFoundError: `folder` holds no checkpoint for this restore.
            NotImplementedError: FitJob does not know this restore.
        """
        if restore == "checkpoint":
            return self._restore_checkpoint(folder / "checkpoint")
        if restore == "backup":  # the callback restores when `fit` begins
            return _backup_in(folder / "backup")
        if restore == "weights":
            path, self.initial_epoch = self._newest(folder, ".weights.h5")
            return self._load_weights(path)
        if restore in WHOLE_MODELS:
            path, self.initial_epoch = self._newest(folder, WHOLE_MODELS[restore])
            self.load_model(path)
        elif restore == "model-checkpoint":
            epochs = [int(file.stem) for file in (folder / restore).glob("*.keras")]
            if not epochs:
                raise FileNotFoundError(f"{folder / restore} holds no file EPOCH.keras")
            self.initial_epoch = max(epochs)
            path = folder / restore / f"{self.initial_epoch}.keras"
            self.load_model(path)
        else:
            raise NotImplementedError(_no_such_restore(restore))
        return _saved_model_in(path) if path.is_dir() else Restored(values=values_in(path))

    def _load_weights(self, path: Path) -> Restored:
        """Load weights into the live model. Keras skips an optimizer that is not built."""
        unbuilt = _is_unbuilt(self.live.optimizer)
        self.live.load_weights(str(path))
        values = values_in(path)
        return Restored(self._filled(values) if unbuilt else None, values=values)

    def _filled(self, values: Collection[str]) -> Mapping[str, str]:
        """Return the names of the variables that now have one of these values."""
        held = self.state().items()
        return {name: name for name, tensor in held if digest(tensor.value) in values}

    def _checkpoint(self) -> Any:
        return tf.train.Checkpoint(model=self.live, optimizer=self.live.optimizer)

    def _restore_checkpoint(self, folder: Path) -> Restored:
        prefix = tf.train.latest_checkpoint(str(folder))
        held, keys, values = restore_checkpoint(self._checkpoint(), prefix)
        self.initial_epoch = int(str(prefix).rsplit("-", 1)[-1]) // self.steps_per_epoch
        return Restored(
            lambda: keys(names_of(self._objects(), self._created.variables())), held, values
        )

    def replace_model(self, model: Any) -> None:
        """Replace the live model by a new one.

        Args:
            model: the new, compiled model, or a function that creates and returns it. Before a
                function is called, seeds and layer names start anew, as in a process that has
                built no model before. If it raises, the live model stays.
        """
        replaced = names_of(self._objects())
        made = model if keras_2.is_model(model) else self._made_anew(model)
        self._created.forget(replaced)
        self.live = made

    def _made_anew(self, make: Callable[[], Any]) -> Any:
        keras_2.set_random_seed(SEED)
        if self._keras is keras:
            _internals.restart_layer_names()
        else:
            self._keras.backend.reset_uids()
        with self._created.watching():
            return make()

    @property
    def epochs_done(self) -> int:
        """The number of whole epochs that the optimizer of the live model has counted.

        Use it in `save` to name a file, and in `restore` to set `initial_epoch`.
        """
        return int(self.live.optimizer.iterations) // self.steps_per_epoch

    def load_model(self, path: Path) -> None:
        """Replace the live model by the model in a file.

        Raises:
            zipfile.BadZipFile: a `.keras` file is truncated or damaged.
        """
        if path.suffix == ".keras" and path.is_file() and not zipfile.is_zipfile(path):
            # Keras would report the file as not found.
            raise zipfile.BadZipFile(
                f"{path.name} exists, but is not a complete zip file ({path.stat().st_size} bytes)"
            )
        self.replace_model(lambda: self._keras.models.load_model(str(path)))

    def _newest(self, folder: Path, suffix: str) -> tuple[Path, int]:
        """Return the newest file with that suffix, and the epoch that follows it."""
        names = (re.fullmatch(rf"model-(\d+){suffix}", file.name) for file in folder.iterdir())
        steps = [int(name[1]) for name in names if name]
        if not steps:
            raise FileNotFoundError(f"{folder} holds no file model-STEP{suffix}")
        return folder / f"model-{max(steps)}{suffix}", max(steps) // self.steps_per_epoch

    def callbacks_for(self, restore: str) -> list[Any]:
        """Return the callbacks that save for one of the restores, into `self.folder`.

        A callback such as `BackupAndRestore` restores, too.
        """
        if restore == "backup":
            return [self._keras.callbacks.BackupAndRestore(str(self.folder / "backup"))]
        if restore == "model-checkpoint":
            (self.folder / "model-checkpoint").mkdir(parents=True, exist_ok=True)
            return [
                self._keras.callbacks.ModelCheckpoint(
                    str(self.folder / "model-checkpoint" / "{epoch}.keras")
                )
            ]
        return []

    def _capture_arguments(self) -> None:
        """Capture the callbacks and the validation data that `model.fit` is called with."""
        original = self.live.fit
        signature = inspect.signature(original)

        def fit(*positional: Any, **named: Any) -> Any:
            arguments = signature.bind(*positional, **named).arguments
            self._validation = arguments.get("validation_data")
            self._validates = _how_fit_validates(arguments)
            self._validation_split = arguments.get("validation_split")
            # Callbacks that save for a restore are absent where that restore is not judged.
            callbacks = arguments.get("callbacks") or ()
            self._callbacks = [
                callback
                for callback in callbacks
                if not any(callback is ours for ours in self._ours)
            ]
            # Only single steps can be recorded; several at once train the same.
            _internals.execute_single_steps(self.live)
            return original(
                *positional, **{"verbose": 0} | named if "verbose" not in arguments else named
            )

        self.live.fit = fit


def _how_fit_validates(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the arguments of `model.evaluate` that follow from those of `model.fit`."""
    return {
        "batch_size": arguments.get("validation_batch_size") or arguments.get("batch_size"),
        "steps": arguments.get("validation_steps"),
    }


def _is_unbuilt(optimizer: Any) -> bool:
    if isinstance(optimizer, keras.optimizers.Optimizer):
        return not optimizer.built
    return keras_2.is_optimizer(optimizer) and _internals.is_unbuilt_in_keras_2(optimizer)


def _no_such_restore(name: str) -> str:
    return (
        f"FitJob has no restore called {name!r}.{did_you_mean(name, RESTORES)} Known: "
        f"{', '.join(RESTORES)}. For any other way, override `save` and `restore`."
    )


def _backup_in(folder: Path) -> Restored:
    """Return what a backup holds: in Keras 3 a file of weights, in Keras 2 a checkpoint."""
    prefix = tf.train.latest_checkpoint(str(folder / "chief"))
    if prefix is None:
        return Restored(values=values_in(folder / "latest.weights.h5"))
    return Restored(values=contents(tf.train.load_checkpoint(prefix))[1])


def _saved_model_in(folder: Path) -> Restored:
    """Return what a SavedModel holds."""
    reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    return Restored(values=contents(reader)[1])
