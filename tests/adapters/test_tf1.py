"""TensorFlow 1 graphs behind the `Job` protocol, in this process. Shipped jobs use fresh ones."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ckptcheck.adapters.tensorflow.variables import state_of
from ckptcheck.adapters.tf1 import (
    RESTORES,
    RESTORES_WITHOUT_EMA,
    Feed,
    GraphJob,
    Network,
    SessionJob,
    state_in,
)
from ckptcheck.errors import NotVerifiedError, UsageError
from ckptcheck.job import POISON, RestoreRefusedError
from ckptcheck.kinds import Kind

tf1 = tf.compat.v1


class Line(GraphJob):
    """A fitted line whose slope and inputs are averaged, and a table that is not trained."""

    steps_per_epoch = 4

    def network(self) -> Network:
        self.x = tf1.placeholder(tf.float32, [None])
        weight = tf1.get_variable("line/kernel", [], initializer=tf1.random_normal_initializer())
        tf1.get_variable(
            "line/moving_mean", [], initializer=tf1.zeros_initializer(), trainable=False
        )
        tf1.get_variable("table", [2], initializer=tf1.ones_initializer(), trainable=False)
        loss = tf.reduce_mean((weight * self.x - 2 * self.x) ** 2)
        step = tf1.train.create_global_step()
        rate = tf.constant(0.25)
        optimizer = tf1.train.MomentumOptimizer(rate, 0.5)
        ema = tf1.train.ExponentialMovingAverage(0.5)
        mean = tf.reduce_mean(self.x, name="centre")
        train_op = optimizer.minimize(loss, step)
        return Network(
            loss=loss,
            train_op=train_op,
            global_step=step,
            optimizer=optimizer,
            learning_rate=rate,
            validation_loss=loss,
            update_op=ema.apply([weight, mean]),
            ema=ema,
        )

    def batch(self, step: int) -> Sequence[np.ndarray[Any, Any]]:
        return [np.full(3, step, np.float32)]

    def train_feed(self, batch: Sequence[np.ndarray[Any, Any]], step: int) -> Feed:
        return {self.x: batch[0]}

    def validation_feed(self) -> Feed:
        return {self.x: [1.0]}


def built(seed: int = 0) -> Line:
    job = Line()
    job.build(seed)
    return job


def test_the_kind_of_each_variable() -> None:
    kinds = {name: tensor.kind for name, tensor in built().state().items()}
    assert kinds == {
        "line/kernel": Kind.WEIGHT,
        "line/moving_mean": Kind.MOVING_STATISTIC,
        "table": Kind.OTHER,
        "global_step": Kind.COUNTER,
        "line/kernel/Momentum": Kind.SLOT,
        "line/kernel/ExponentialMovingAverage": Kind.SHADOW,
        "centre/ExponentialMovingAverage": Kind.MOVING_STATISTIC,
        "Momentum/momentum": Kind.HYPERPARAMETER,
    }


def test_the_initial_values_follow_from_the_seed() -> None:
    values = [float(built(seed).state()["line/kernel"].value) for seed in (0, 0, 1, POISON)]
    assert values[0] == values[1]
    assert len(set(values)) == 3  # a restarted process has different values


def test_a_step() -> None:
    job = built()
    before = job.evaluate()
    step = job.train(1)
    assert (step.learning_rate, job.next_step()) == (0.25, 1)
    assert step.loss == pytest.approx(before)
    assert isinstance(step.batch, list)
    assert job.evaluate() < before
    assert float(job.state()["centre/ExponentialMovingAverage"].value) == 0.5


def saved(folder: Path) -> Line:
    job = built()
    for step in range(3):
        job.train(step)
    job.save(folder, 3)
    return job


@pytest.mark.parametrize(("restore", "step"), [("saver", 3), ("ema-none", 3), ("trainable", 0)])
def test_a_restore_reports_its_keys(restore: str, step: int, tmp_path: Path) -> None:
    control = saved(tmp_path).state()
    job = built(POISON)
    restored = job.restore(tmp_path, restore)
    state = job.state()
    assert job.next_step() == step
    assert isinstance(restored.asked, dict)
    assert all(
        key == name and state[name].value == control[name].value
        for name, key in restored.asked.items()
        if name != "table"
    )
    assert set(restored.held or ()) == {name for name in control if name != "Momentum/momentum"}
    assert len(restored.values or ()) == len(restored.held or ())
    assert job.graph.finalized


def test_averages_go_where_variables_to_restore_says(tmp_path: Path) -> None:
    control = saved(tmp_path).state()
    job = built(POISON)
    restored = job.restore(tmp_path, "ema")
    assert isinstance(restored.asked, dict)
    assert restored.asked["line/kernel"] == "line/kernel/ExponentialMovingAverage"
    assert job.state()["line/kernel"].value == control["line/kernel/ExponentialMovingAverage"].value


def test_a_refusal_carries_the_keys(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf1.Session() as session:
        kernel = tf1.get_variable("line/kernel", [], initializer=tf1.zeros_initializer())
        session.run(kernel.initializer)
        tf1.train.Saver([kernel]).save(session, str(tmp_path / "few.ckpt"), write_meta_graph=False)
    with pytest.raises(RestoreRefusedError) as caught:
        built().restore(tmp_path, "saver")
    assert type(caught.value.error).__name__ == "NotFoundError"
    assert caught.value.held == ["line/kernel"]
    assert {"line/kernel", "line/kernel/Momentum", "global_step"} < set(caught.value.asked or {})


def test_a_folder_without_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        built().restore(tmp_path, "saver")
    assert str(caught.value) == (
        f"{tmp_path} holds no checkpoint: its state file `checkpoint` is missing, or names files that do not exist"
    )


def test_names_of_the_restores() -> None:
    assert RESTORES == ("saver", "ema", "trainable", "ema-none")
    assert set(RESTORES_WITHOUT_EMA) < set(RESTORES)
    assert built().restores == RESTORES


@pytest.mark.parametrize(
    ("make", "slots"),
    [
        (lambda: tf1.train.AdamOptimizer(), {"w/Adam", "w/Adam_1", "beta1_power", "beta2_power"}),
        (lambda: tf1.train.MomentumOptimizer(0.1, 0.9), {"w/Momentum"}),
        (lambda: tf1.train.AdagradOptimizer(0.1), {"w/Adagrad"}),
        (lambda: tf1.train.AdadeltaOptimizer(), {"w/Adadelta", "w/Adadelta_1"}),
        (lambda: tf1.train.FtrlOptimizer(0.1), {"w/Ftrl", "w/Ftrl_1"}),
        (
            lambda: tf1.train.RMSPropOptimizer(0.1, centered=True, name="Own"),
            {"w/Own", "w/Own_1", "w/Own_2"},
        ),
    ],
)
def test_kinds_without_the_optimizer(make: Any, slots: set[str]) -> None:
    with tf.Graph().as_default(), tf1.Session() as session:
        weight = tf1.get_variable("w", [2])
        mean = tf1.get_variable("bn/moving_mean", [2], trainable=False)
        tf1.get_variable("table", [3], trainable=False)
        step = tf1.train.create_global_step()
        make().minimize(tf.reduce_sum(weight * mean), step)
        ema = tf1.train.ExponentialMovingAverage(0.5, name="smooth")
        ema.apply([weight, tf.identity(weight, "copy")])
        session.run(tf1.global_variables_initializer())
        state = state_of(tf1.global_variables())
        assert {name for name, tensor in state.items() if tensor.kind is Kind.SLOT} == slots
        assert {name: tensor.kind for name, tensor in state.items() if name not in slots} == {
            "w": Kind.WEIGHT,
            "bn/moving_mean": Kind.MOVING_STATISTIC,
            "table": Kind.OTHER,
            "global_step": Kind.COUNTER,
            "w/smooth": Kind.SHADOW,
            "copy/smooth": Kind.MOVING_STATISTIC,
        }
        assert state_in(session)().keys() == state.keys()


def test_a_graph_without_a_session_cannot_be_read() -> None:
    with tf.Graph().as_default():
        weight = tf1.get_variable("w", [2])
    with pytest.raises(UsageError) as caught:
        state_of([weight])
    assert str(caught.value) == (
        "The state holds variables of a TensorFlow 1 graph, and there is no default session to read them. Pass "
        "state=state_in(session), with state_in from ckptcheck.adapters.tf1, or record inside `with session.as_default():`."
    )


def test_a_saver_of_ones_own_that_is_missing(tmp_path: Path) -> None:
    job = saved(tmp_path)
    with pytest.raises(UsageError) as caught:
        job.restore(tmp_path, "mine")
    assert str(caught.value) == (
        "There is no Saver for the restore 'mine'. Return Network(…, savers={'mine': tf.compat.v1.train.Saver(…)})."
    )


class WithLayers(Line):
    def network(self) -> Network:
        tf1.layers.dense(tf1.placeholder(tf.float32, [None, 2]), 1)
        raise AssertionError("Keras 3 has no tf.layers")


def test_tf_layers_name_the_keras_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "0")
    with pytest.raises(UsageError) as caught:
        WithLayers().build(0)
    assert str(caught.value) == (
        "`dense` is not available with Keras 3. tf.layers and the RNN cells of TensorFlow 1 need Keras 2: pip install "
        "tf-keras, and set TF_USE_LEGACY_KERAS=1 in the environment."
    )


class Idle(SessionJob):
    """A loop that forgets the hooks."""

    steps_per_epoch = 4

    def network(self) -> Network:
        weight = tf1.get_variable("w", [])
        step = tf1.train.create_global_step()
        loss = weight**2
        train_op = tf1.train.GradientDescentOptimizer(0.1).minimize(loss, step)
        return Network(loss, train_op, step)

    def loop(self, folder: str, hooks: Sequence[Any]) -> None:
        with tf1.train.MonitoredSession() as session:
            session.run(self.net.train_op)


class Recorder:
    """A loop of ckptcheck that takes no steps."""

    restore, saves = None, True

    def __init__(self, folder: Path) -> None:
        self.folder = folder


def test_a_session_without_the_hooks(tmp_path: Path) -> None:
    job = Idle()
    job.build(0)
    assert job.next_step() == 0
    with pytest.raises(NotVerifiedError) as caught:
        job.run(Recorder(tmp_path))  # type: ignore[arg-type]
    assert str(caught.value) == (
        "no session ran the train op under the hooks of ckptcheck. Pass `hooks` to the session, and run "
        "Network.train_op in it"
    )


class WithoutResources(Line):
    """Reads a variable of `use_resource=False` in a branch that the initialiser does not take."""

    def network(self) -> Network:
        net = super().network()
        plain = tf1.get_variable("plain", [2], use_resource=False)
        ema = tf1.train.ExponentialMovingAverage(0.5)
        with tf.control_dependencies([tf1.assign(plain, plain * 3.0)]):
            average = ema.apply([plain])
        return replace(net, update_op=tf.group(net.update_op, average))


def test_variables_that_are_no_resources() -> None:
    job = WithoutResources()
    job.build(0)
    job.train(0)
    state = job.state()
    average = state["plain/ExponentialMovingAverage"].value
    np.testing.assert_allclose(average, state["plain"].value * 2 / 3, rtol=1e-6)
