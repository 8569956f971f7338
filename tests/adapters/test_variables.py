"""TensorFlow and Keras variables: their names, their kinds, and which of them are state."""

import gc
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ckptcheck.adapters.tensorflow.created import Created
from ckptcheck.adapters.tensorflow.variables import names_of, poison, state_of
from ckptcheck.kinds import Kind


def kinds_of(*objects: Any) -> dict[str, Kind]:
    return {name: tensor.kind for name, tensor in state_of(objects).items()}


def a_model(**settings: Any) -> Any:
    keras.backend.clear_session()
    layers = [
        keras.layers.Dense(2, name="dense"),
        keras.layers.BatchNormalization(name="norm"),
        keras.layers.Dropout(0.5, name="drop"),
    ]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile(keras.optimizers.SGD(0.5, name="sgd", **settings), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


NETWORK = {
    "dense/kernel": Kind.WEIGHT,
    "dense/bias": Kind.WEIGHT,
    "norm/gamma": Kind.WEIGHT,
    "norm/beta": Kind.WEIGHT,
    "norm/moving_mean": Kind.MOVING_STATISTIC,
    "norm/moving_variance": Kind.MOVING_STATISTIC,
    "drop/seed_generator": Kind.RNG,
}
TRAINED = ("dense/kernel", "dense/bias", "norm/gamma", "norm/beta")


def of_optimizer(kinds: dict[str, Kind]) -> dict[str, Kind]:
    return {name: kind for name, kind in kinds.items() if name.startswith("sgd/")}


def test_a_compiled_model() -> None:
    kinds = kinds_of(a_model(momentum=0.5))
    assert {
        name: kind for name, kind in kinds.items() if not name.startswith(("sgd/", "metrics/"))
    } == NETWORK
    slots = {f"sgd/{name}/momentum": Kind.SLOT for name in TRAINED}
    own = {
        "sgd/iteration": Kind.COUNTER,
        "sgd/learning_rate": Kind.HYPERPARAMETER,
        "sgd/momentum": Kind.HYPERPARAMETER,
    }
    assert of_optimizer(kinds).items() >= (slots | own).items()
    assert {kind for name, kind in of_optimizer(kinds).items() if name not in slots | own} == {
        Kind.HYPERPARAMETER
    }


def test_what_an_rnn_carries_is_named_after_its_layer() -> None:
    """A loaded model gives it a different path."""
    keras.backend.clear_session()
    cells = keras.layers.StackedRNNCells([keras.layers.LSTMCell(2), keras.layers.GRUCell(3)])
    layers = [keras.layers.RNN(cells, stateful=True, name="rnn"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input(batch_shape=(4, 3, 2)), *layers])
    names = state_of([model])
    assert [name for name in names if "state" in name and "seed" not in name] == [
        "rnn/rnn_state",
        "rnn/rnn_state_1",
        "rnn/rnn_state_2",
    ]
    assert not any(name.startswith("sequential") for name in names)


def test_averages_accumulators_and_loss_scaling() -> None:
    kinds = of_optimizer(kinds_of(a_model(use_ema=True, gradient_accumulation_steps=2)))
    for name in TRAINED:
        assert [kind for slot, kind in kinds.items() if slot.startswith(f"sgd/{name}/")] == [
            Kind.SHADOW,
            Kind.ACCUMULATOR,
        ]
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5, name="sgd"))
    scaled.build([keras.Variable(np.ones(2), name="weight")])
    kinds = kinds_of(scaled)
    assert [name for name, kind in kinds.items() if kind == Kind.LOSS_SCALE] == [
        "sgd/step_counter",
        "sgd/dynamic_scale",
    ]
    assert kinds["sgd/iteration"] == Kind.COUNTER


def test_variables_of_other_objects() -> None:
    class Module(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable([1.0], name="weight")
            self.step = tf.Variable(0, trainable=False, name="step")

    assert kinds_of(Module()) == {"weight": Kind.WEIGHT, "step": Kind.COUNTER}
    assert kinds_of(tf.random.Generator.from_seed(1)) == {"generator": Kind.RNG}
    assert kinds_of(keras.random.SeedGenerator(1, name="noise")) == {"noise/state": Kind.RNG}
    metric = keras.metrics.Mean(name="loss")
    assert kinds_of(metric) == {
        "metrics/loss/total": Kind.METRIC,
        "metrics/loss/count": Kind.METRIC,
    }
    assert kinds_of(keras.layers.Dense(1, name="head")) == {}
    with pytest.raises(TypeError) as caught:
        state_of(["model"])
    assert str(caught.value) == (
        "str holds no variables: pass models, optimizers, variables or random generators"
    )


def test_a_used_name_gets_a_number() -> None:
    variables = [tf.Variable([value], name="weight") for value in (1.0, 2.0, 3.0)]
    state = state_of(variables)
    assert {name: tensor.value.tolist() for name, tensor in state.items()} == {
        "weight": [1.0],
        "weight_1": [2.0],
        "weight_2": [3.0],
    }
    assert list(names_of(variables).values()) == [["weight"], ["weight_1"], ["weight_2"]]


def test_a_variable_of_an_object_is_listed_once() -> None:
    model = a_model()
    beside = tf.Variable(tf.zeros((2,)), trainable=False, name="kernel_average")
    of_keras = [variable.value for variable in model.variables]
    others = {name: tensor.kind for name, tensor in state_of([model], [*of_keras, beside]).items()}
    assert others == kinds_of(model) | {"kernel_average": Kind.SHADOW}


def test_a_variable_of_unknown_shape() -> None:
    grows = tf.Variable([1, 2], shape=tf.TensorShape(None), trainable=False, name="grows")
    assert kinds_of(grows) == {"grows": Kind.OTHER}


def test_poison_changes_trainable_floats_alone() -> None:
    trained, fixed = tf.Variable([1.0, 2.0]), tf.Variable([1.0, 2.0], trainable=False)
    count = tf.Variable([1, 2], trainable=True)
    poison([trained, fixed, count], 7)
    assert (trained.numpy() != [1.0, 2.0]).all()
    assert fixed.numpy().tolist() == [1.0, 2.0]
    assert count.numpy().tolist() == [1, 2]


class TestCreated:
    def test_variables_created_while_watching(self) -> None:
        created = Created()
        before = tf.Variable(0.0, name="before")
        with created.watching():
            made = tf.Variable(1.0, name="made")
            created.paused = True
            tf.Variable(2.0, name="paused")
            created.paused = False
            layer = keras.layers.Dense(1)
            layer.build((None, 2))
        assert [variable.name for variable in created.variables()][:1] == ["made:0"]
        assert len(created.variables()) == 3
        assert before is not made
        created.forget({id(made)})
        assert len(created.variables()) == 2

    def test_a_deleted_variable_is_no_state(self) -> None:
        created = Created()
        with created.watching():
            made = tf.Variable(1.0)
        assert len(created.variables()) == 1
        del made
        gc.collect()
        assert created.variables() == []

    def test_metrics_and_save_counters_are_no_state(self) -> None:
        created = Created()
        with created.watching():
            kept = [keras.metrics.Mean(), tf.train.Checkpoint(step=tf.Variable(0, name="step"))]
            kept[1].save_counter  # noqa: B018  # created on first access
        assert [variable.name for variable in created.variables()] == ["step:0"]


def test_slots_of_bare_variables() -> None:
    weights = [tf.Variable([0.0], name="a"), tf.Variable([0.0], name="a_b")]
    optimizer = keras.optimizers.SGD(momentum=0.9, name="sgd")
    optimizer.build(weights)
    names = [name for name in state_of([*weights, optimizer]) if name.startswith("sgd/a")]
    assert names == ["sgd/a/momentum", "sgd/a_b/momentum"]
    assert state_of([optimizer]).keys() >= {"sgd/a/momentum", "sgd/a_b/momentum"}


def test_slots_of_weights_that_share_a_path() -> None:
    weights = [keras.Variable([float(number)], name="same") for number in range(2)]
    layers = [keras.layers.Layer(name=name) for name in ("one", "two")]
    for layer, weight in zip(layers, weights, strict=True):
        layer.inside = weight
    optimizer = keras.optimizers.Adam(name="adam")
    optimizer.build(weights)
    for number, slot in enumerate(optimizer.variables[2:]):
        slot.assign([float(number)])
    state = state_of([*layers, optimizer])
    assert {
        name: float(tensor.value[0]) for name, tensor in state.items() if tensor.value.shape == (1,)
    } == {
        "one/same": 0.0,
        "two/same": 1.0,
        "adam/one/same/momentum": 0.0,
        "adam/one/same/velocity": 1.0,
        "adam/two/same/momentum": 2.0,
        "adam/two/same/velocity": 3.0,
    }
