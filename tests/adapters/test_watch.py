"""What the callback of `fit` reports of each step, whatever other callbacks do to the model."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ckptcheck.adapters.tensorflow.created import Created
from ckptcheck.adapters.tensorflow.watch import SHOWN, Watch
from ckptcheck.errors import NotVerifiedError
from ckptcheck.job.protocol import Step

X = np.arange(32, dtype=np.float32).reshape(16, 2) / 32
Y = X[:, :1]


class Steps:
    """A `Loop` that keeps what each step reports."""

    folder = Path()
    restore: str | None = None
    saves = False

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def before_step(self) -> None: ...

    def may_save(self) -> None: ...

    def after_step(self, step: Step) -> None:
        self.steps.append(step)


class Changes(keras.callbacks.Callback):  # type: ignore[misc]
    """Changes the model at the start of epoch 1 and, with `again`, within it."""

    def __init__(self, change: Any, again: str = "") -> None:
        super().__init__()
        self.change, self.again, self.epoch = change, again, 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch
        if epoch == 1 and not self.again:
            self.change(self.model)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self.again == "begin" and (self.epoch, batch) == (1, 2):
            self.change(self.model)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.again == "end" and (self.epoch, batch) == (1, 2):
            self.change(self.model)


def model() -> Any:
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    made.compile(keras.optimizers.SGD(0.125), "mse")
    return made


def trained(made: Any, *callbacks: Any, watch: Watch | None = None) -> tuple[list[Step], Any]:
    steps = Steps()
    ours = Watch(steps, 4, Created()) if watch is None else watch
    own = [each for each in callbacks if not isinstance(each, str)]
    order = [ours, *own] if "first" in callbacks else [*own, ours]
    history = made.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=order)
    return steps.steps, history.history


def plain() -> list[Step]:
    return trained(model())[0]


def same(found: list[Step], expected: list[Step]) -> None:
    assert [step.loss for step in found] == [step.loss for step in expected]
    assert [step.learning_rate for step in found] == [step.learning_rate for step in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.batch is not None
        assert other.batch is not None
        for array, wanted in zip(one.batch, other.batch, strict=True):
            np.testing.assert_array_equal(array, wanted)


def remade(model: Any) -> None:
    model.make_train_function(force=True)


def recompiled(model: Any) -> None:
    model.compile(model.optimizer, "mse")
    model.make_train_function()


def own_step(model: Any) -> None:
    step = type(model).train_step
    model.train_step = lambda data: step(model, data)
    model.make_train_function(force=True)


@pytest.mark.parametrize("again", ["", "begin", "end"])
@pytest.mark.parametrize("change", [remade, recompiled, own_step])
def test_a_train_function_made_anew_is_recorded(change: Any, again: str) -> None:
    found, history = trained(model(), Changes(change, again))
    expected = plain()
    assert len({step.loss for step in expected}) == 8
    same(found, expected)
    assert SHOWN not in history


def test_a_new_rate_and_loss_are_recorded() -> None:
    def changed(model: Any) -> None:
        model.compile(keras.optimizers.SGD(0.25), "mae")
        model.make_train_function()

    found, _ = trained(model(), Changes(changed))
    assert [step.learning_rate for step in found] == [0.125] * 4 + [0.25] * 4
    expected = plain()
    assert [step.loss for step in found[:4]] == [step.loss for step in expected[:4]]
    assert found[4].loss == pytest.approx(np.sqrt(expected[4].loss), rel=0.2)


def test_a_change_after_our_callback_but_before_its_step() -> None:
    same(trained(model(), "first", Changes(remade))[0], plain())


def test_a_step_that_is_not_recorded_is_an_error() -> None:
    with pytest.raises(NotVerifiedError) as caught:
        trained(model(), "first", Changes(remade, "begin"))
    assert str(caught.value) == (
        "step 6 was not recorded: a callback after those of ckptcheck made the train function "
        "anew. Pass yours first: callbacks=[…, *callbacks]"
    )


def test_a_second_fit_with_a_callback_of_its_own() -> None:
    made = model()
    trained(made)
    function = made.train_step
    found, _ = trained(made)
    assert made.train_step is function
    again = model()
    watch_steps = Steps()
    watch = Watch(watch_steps, 4, Created())
    trained(again, watch=watch)
    trained(again, watch=watch)
    same(found, watch_steps.steps[8:])
