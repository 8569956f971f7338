"""TensorFlow 1 graphs behind the `Job` protocol, in this process. Shipped jobs use fresh ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ckptcheck.adapters.tf1 import RESTORES, RESTORES_WITHOUT_EMA, Feed, GraphJob, Network
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
