"""Custom loops with `tf.train.Checkpoint`, in this process. The recipes use fresh ones."""

from pathlib import Path

import keras
import pytest
import tensorflow as tf

from ckptcheck.adapters.tf2 import CheckpointJob, restore_checkpoint
from ckptcheck.job import Step
from ckptcheck.kinds import Kind


class Line(CheckpointJob):
    """A trained weight, a step counter, and a list of two variables; the first step creates slots."""

    steps_per_epoch = 4

    def setup(self) -> tf.train.Checkpoint:
        self.weight = keras.Variable(1.0, name="weight")
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self.more = [tf.Variable(float(number), name=f"more_{number}") for number in range(2)]
        self.optimizer = keras.optimizers.SGD(0.5, momentum=0.5, name="sgd")
        return tf.train.Checkpoint(weight=self.weight, optimizer=self.optimizer, step=self.step)

    def train(self, step: int) -> Step:
        self.optimizer.apply([tf.constant(1.0)], [self.weight])
        self.step.assign_add(1)
        return Step(1.0)

    def evaluate(self) -> float:
        return float(self.weight.value)


def built(seed: int = 0) -> Line:
    job = Line()
    job.build(seed)
    return job


def test_the_state_is_every_variable_of_its_objects() -> None:
    job = built()
    kinds = {
        name: tensor.kind
        for name, tensor in job.state().items()
        if tensor.kind is not Kind.HYPERPARAMETER
    }
    before = {
        "weight": Kind.WEIGHT,
        "step": Kind.COUNTER,
        "more_0": Kind.WEIGHT,
        "more_1": Kind.WEIGHT,
    }
    assert kinds == before | {"sgd/iteration": Kind.COUNTER}
    job.train(0)
    assert {
        name for name in job.state() if name not in kinds and name.endswith("weight/momentum")
    } == {"sgd/weight/momentum"}
    assert job.next_step() == 1


def test_a_resumed_process_has_perturbed_weights() -> None:
    assert built(0).evaluate() == built(0).evaluate() == 1.0
    assert built(5).evaluate() != 1.0


def test_a_restore_reports_the_key_of_each_tensor(tmp_path: Path) -> None:
    control = built()
    control.train(0)
    control.save(tmp_path, 1)
    job = built(5)
    restored = job.restore(tmp_path, "checkpoint")
    assert (job.next_step(), job.evaluate()) == (1, control.evaluate())
    assert restored is not None
    assert callable(restored.asked)
    asked = restored.asked()
    assert asked["step"] == "step/.ATTRIBUTES/VARIABLE_VALUE"
    assert "sgd/weight/momentum" not in asked
    job.train(1)
    assert restored.asked()["sgd/weight/momentum"] in (restored.held or ())
    assert set(asked.values()) < set(restored.held or ())
    assert "_CHECKPOINTABLE_OBJECT_GRAPH" in (restored.held or ())
    assert len(restored.values or ()) == len(restored.held or ()) - 1  # text has no digest


def test_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        restore_checkpoint(built().checkpoint, None)
    assert str(caught.value) == (
        "the folder holds no checkpoint: its state file `checkpoint` is missing, or names files that do not exist"
    )


def test_the_next_step() -> None:
    job = built()
    del job.step
    assert job.next_step() == 0  # the optimizer's
    job.another = keras.optimizers.SGD()  # type: ignore[attr-defined]
    assert job.next_step() == 0
    job.another.iterations.assign(3)  # type: ignore[attr-defined]
    assert job.next_step() == 3  # the one that steps most often


def test_what_setup_must_return() -> None:
    class Wrong(Line):
        def setup(self) -> tf.train.Checkpoint:
            return {"weight": 1}

    with pytest.raises(
        TypeError, match=r"^setup must return a tf\.train\.Checkpoint, but it returned dict$"
    ):
        Wrong().build(0)


class WithTables(Line):
    def setup(self) -> tf.train.Checkpoint:
        self.words = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, 0.0)
        self.dense = [tf.lookup.experimental.DenseHashTable(tf.int64, tf.int64, 0, -1, -2)]
        return super().setup()


def test_tables_are_state_whatever_the_order_of_their_keys() -> None:
    one, other = WithTables(), WithTables()
    for job, words in ((one, ["a", "b"]), (other, ["b", "a"])):
        job.build(0)
        for word in words:
            job.words.insert(tf.constant([word]), tf.constant([float(ord(word))]))
    first, second = one.state(), other.state()
    names = ["words/contents", "dense/0/contents"]
    assert [first[name].kind for name in names] == [Kind.OTHER] * 2
    assert [first[name].value.tolist() == second[name].value.tolist() for name in names] == [
        True
    ] * 2
    other.words.insert(tf.constant(["c"]), tf.constant([0.0]))
    other.dense[0].insert(tf.constant([5], tf.int64), tf.constant([6], tf.int64))
    later = other.state()
    for name in names:
        assert later[name].value.tolist() != first[name].value.tolist()
        assert later[name].value.shape == first[name].value.shape
