"""Training steps of `fit`, which a callback reports."""

from collections.abc import Callable, Sequence
from typing import Any

from ckptcheck.adapters.tensorflow import _internals
from ckptcheck.adapters.tensorflow.callbacks import decisive
from ckptcheck.adapters.tensorflow.observer.loops import Counts, Watcher
from ckptcheck.adapters.tensorflow.watch import StepReader, of_its_keras
from ckptcheck.job.protocol import Lasting
from ckptcheck.observer.observation import Observation
from ckptcheck.observer.wrapping import around, guarded

_FIT = "fit"


def watch_keras(package: Any, observation: Observation, watcher: Watcher, counts: Counts) -> None:
    """Pass a callback to each `fit` of a version of Keras that the program calls."""

    def fit(call: Callable[..., Any], model: Any, /, *given: Any, **named: Any) -> Any:
        with watcher.inside() as is_outermost:
            if not is_outermost:
                return call(model, *given, **named)
            reader = of_its_keras(Reader, model)(observation, counts)
            given, named, own = _with_callback(given, named, reader)
            _execute_single_steps(model, own)
            watcher.claim()
            return call(model, *given, **named)

    around(package.Model, "fit", fit)


def _execute_single_steps(model: Any, own: Sequence[Any]) -> None:
    """Let `fit` execute one step at a time, which changes nothing but how often it calls back.

    Raises:
        NotImplementedError: a callback of the program is called after several steps at once.
    """
    count = _internals.steps_at_once(model)
    if count > 1 and any(map(_counts_batches, own)):
        raise NotImplementedError(
            f"fit executes {count} steps at once, and a callback acts after each call. Verify with "
            "steps_per_execution=1"
        )
    if count > 1:
        _internals.execute_single_steps(model)


_OF_BATCHES = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


def _counts_batches(callback: Any) -> bool:
    """Return whether it matters to a callback how many steps `fit` executes at once."""
    if isinstance(getattr(callback, "save_freq", None), int):
        return True
    kind = type(callback)
    makers = [
        base.__module__ for name in _OF_BATCHES for base in kind.__mro__ if name in vars(base)
    ]
    given = any(name in vars(callback) for name in _OF_BATCHES)  # a LambdaCallback
    return given or any(not each.startswith(("keras.", "tf_keras.")) for each in makers)


# The position of `callbacks` among the arguments of `fit` after the model, in both versions of
# Keras: x, y, batch_size, epochs, verbose.
_PLACE = 5


def _with_callback(
    given: tuple[Any, ...], named: dict[str, Any], reader: Any
) -> tuple[tuple[Any, ...], dict[str, Any], Sequence[Any]]:
    """Return the arguments of `fit` with a callback after those of the program, and those."""
    held = given[_PLACE] if len(given) > _PLACE else named.get("callbacks")
    if held is not None and hasattr(held, "append") and not isinstance(held, list):
        held.append(reader)  # a CallbackList
        return given, named, held.callbacks
    own = [] if held is None else list(held) if isinstance(held, list | tuple) else [held]
    reader.remember(own)
    callbacks = [*own, reader]
    if len(given) > _PLACE:
        return (*given[:_PLACE], callbacks, *given[_PLACE + 1 :]), named, own
    return given, named | {"callbacks": callbacks}, own


class Reader(StepReader):
    """Reports each step of `fit` to an observation."""

    def __init__(self, observation: Observation, counts: Counts) -> None:
        super().__init__()
        self._observation = observation
        self._counts = counts
        self._epoch = 0
        self._length = 0

    def remember(self, callbacks: list[Any]) -> None:
        """Remember the callbacks of the program, whose numbers may decide how it trains."""
        self._observation.program.remember(callbacks, decisive(callbacks))

    @guarded
    def on_train_begin(self, logs: Any = None) -> None:
        """Wrap the train step, and note the length of an epoch."""
        self._length = self.params.get("steps") or 0
        self._observation.epoch_of(self._length)
        self.show_steps(self.model)

    @guarded
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note the epoch."""
        self._epoch = epoch

    @guarded
    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Report that a step may begin: there is no batch at the end of data without a length."""
        if self._length:
            self._counts.noted[_FIT] = self._epoch * self._length + batch
        self._observation.before(_FIT)
        self.begin_step()

    @guarded
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Report the finished step."""
        self._observation.framework = "keras"
        step = self.step(logs)
        loss = step.loss if isinstance(step.loss, float) else None
        data = step.batch if isinstance(step.batch, Lasting) else ()
        self._observation.stepped(_FIT, loss, data, step.learning_rate)

    @guarded
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Learn the length of an epoch from the first one."""
        if not self._length:
            self._observation.epoch_of(self.params.get("steps"))

    @guarded
    def on_test_end(self, logs: Any = None) -> None:
        """Report the loss on the validation data."""
        if logs and "loss" in logs:
            self._observation.evaluated(float(logs["loss"]))
