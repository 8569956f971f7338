"""The private names of TensorFlow and Keras in use: they exist, and mean the same as before."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras  # type: ignore[import-untyped]
from tensorflow.python.framework import config

from ckptcheck.adapters.tensorflow import _internals
from tests.conftest import ROOT

tf1 = tf.compat.v1


def test_deterministic_ops() -> None:
    assert not _internals.has_deterministic_ops()
    tf.config.experimental.enable_op_determinism()
    try:
        assert _internals.has_deterministic_ops()
    finally:
        config.disable_op_determinism()  # the public API can only switch it on
    assert not _internals.has_deterministic_ops()


def test_an_unfinalized_graph_accepts_operations() -> None:
    graph = tf.Graph()
    graph.finalize()
    with graph.as_default(), pytest.raises(RuntimeError, match="finalized"):
        tf.constant(1)
    _internals.unfinalize(graph)
    with graph.as_default():
        tf.constant(1)


def test_settings_of_a_tensorflow_1_optimizer() -> None:
    with tf.Graph().as_default():
        optimizer = tf1.train.AdamOptimizer(0.25, beta1=0.5, beta2=0.75, epsilon=0.125)
        weight = tf1.get_variable("weight", [2])
        optimizer.minimize(tf.reduce_sum(weight))
    assert dict(_internals.settings(optimizer)) == {
        "lr": 0.25,
        "beta1": 0.5,
        "beta2": 0.75,
        "epsilon": 0.125,
    }


def test_object_graph_has_the_key_of_each_value(tmp_path: Path) -> None:
    prefix = tf.train.Checkpoint(step=tf.Variable(7)).save(str(tmp_path / "model"))
    graph = _internals.object_graph(tf.train.load_checkpoint(prefix))
    keys = {attribute.checkpoint_key for node in graph.nodes for attribute in node.attributes}
    assert "step/.ATTRIBUTES/VARIABLE_VALUE" in keys
    assert [child.local_name for child in graph.nodes[0].children] == ["step", "save_counter"]


def test_layer_names_restart_and_policies_stay() -> None:
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        keras.layers.Dense(1)
        assert keras.layers.Dense(1).name != "dense"
        _internals.restart_layer_names()
        assert keras.layers.Dense(1).name == "dense"
        assert keras.mixed_precision.global_policy().name == "mixed_float16"
    finally:
        keras.mixed_precision.set_global_policy("float32")


@pytest.fixture(scope="module")
def attention() -> Any:
    """A layer with layers inside, one of which has a generator."""
    layer = keras.layers.MultiHeadAttention(2, 2, dropout=0.5)
    layer(np.zeros((1, 3, 4)), np.zeros((1, 3, 4)))
    return layer


def test_own_variables_are_in_order_of_creation() -> None:
    norm = keras.layers.BatchNormalization()
    norm.build((None, 3))
    names = ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [variable.name for variable in _internals.own_variables(norm)] == names


def test_own_variables_leave_out_inner_layers(attention: Any) -> None:
    assert list(_internals.own_variables(attention)) == []
    assert len(attention.variables) > 8


def test_own_seed_generators(attention: Any) -> None:
    dropout = keras.layers.Dropout(0.5)
    assert list(_internals.own_seed_generators(dropout)) == [dropout.seed_generator]
    assert list(_internals.own_seed_generators(keras.layers.Dense(1))) == []


def test_inner_layers(attention: Any) -> None:
    names = {
        layer.name for layer in _internals.inner_layers(attention) if isinstance(layer, keras.Layer)
    }
    assert {"query", "key", "value", "attention_output"} < names


def test_all_layers_at_any_depth(attention: Any) -> None:
    inputs = keras.Input((3, 4))
    model = keras.Model(inputs, attention(inputs, inputs))
    layers = list(_internals.all_layers(model))
    assert model in layers
    assert attention in layers
    assert "query" in [layer.name for layer in layers]
    assert all(layer.built for layer in layers)
    assert not all(
        layer.built for layer in _internals.all_layers(keras.Sequential([keras.layers.Dense(1)]))
    )


def built(**settings: Any) -> tuple[Any, list[Any]]:
    """Return a built optimizer and its weights."""
    weights = [
        keras.Variable(np.ones(3), name="first"),
        keras.Variable(np.ones((2, 2)), name="second"),
    ]
    optimizer = keras.optimizers.Adam(0.5, **settings)
    optimizer.build(weights)
    return optimizer, weights


def test_weights_of_an_optimizer() -> None:
    optimizer, weights = built()
    assert [id(weight) for weight in _internals.weights_of(optimizer)] == [
        id(weight) for weight in weights
    ]
    assert _internals.weights_of(keras.optimizers.Adam()) == []


def test_averages_of_an_optimizer() -> None:
    optimizer, weights = built(use_ema=True, ema_momentum=0.5)
    for addend in (0, 2):  # the average of 1 in one step and 3 in the next
        for weight in weights:
            weight.assign(weight + addend)
        optimizer.apply([np.zeros(weight.shape, "float32") for weight in weights])
    averages = _internals.averages_of(optimizer)
    assert [average.shape for average in averages] == [(3,), (2, 2)]
    assert {id(average) for average in averages} < {
        id(variable) for variable in optimizer.variables
    }
    assert [average.numpy().tolist() for average in averages] == [[2, 2, 2], [[2, 2], [2, 2]]]
    assert _internals.averages_of(built()[0]) == []


def test_accumulators_of_an_optimizer() -> None:
    optimizer, weights = built(gradient_accumulation_steps=4)
    optimizer.apply([np.full(weight.shape, 2, "float32") for weight in weights])
    accumulators = [accumulator.numpy() for accumulator in _internals.accumulators_of(optimizer)]
    assert [accumulator.tolist() for accumulator in accumulators] == [[2, 2, 2], [[2, 2], [2, 2]]]
    assert _internals.accumulators_of(built()[0]) == []


def test_rate_of_an_optimizer() -> None:
    optimizer, _ = built()
    rate = _internals.rate_variable_of(optimizer)
    assert any(rate is variable for variable in optimizer.variables)
    optimizer.learning_rate = 0.25
    assert float(rate) == 0.25
    schedule = keras.optimizers.schedules.CosineDecay(0.5, 10)
    assert _internals.rate_variable_of(keras.optimizers.Adam(schedule)) is schedule


def test_keys_of_a_saver() -> None:
    with tf.Graph().as_default():
        first = tf1.get_variable("first", [2])
        with tf1.variable_scope("", partitioner=tf1.fixed_size_partitioner(2)):
            halves = tf1.get_variable("halves", [2])
        named = tf1.train.Saver({"old": first, "both": halves})
        parts = {"halves/part_0": "both", "halves/part_1": "both"}
        assert _internals.keys_of(named) == {"first": "old"} | parts
        assert _internals.keys_of(tf1.train.Saver(tf1.global_variables())) == {
            "first": "first",
            **dict.fromkeys(parts, "halves"),
        }


def test_layers_of_keras_2() -> None:
    drop = tf_keras.layers.Dropout(0.5, rng_type="stateful")
    norm = tf_keras.layers.BatchNormalization()
    inner = tf_keras.Sequential([tf_keras.Input((3,)), norm, drop])
    model = tf_keras.Sequential([inner])
    assert list(_internals.inner_layers_of_keras_2(model))[-1] is inner
    assert list(_internals.own_variables_of_keras_2(model)) == []
    assert len(list(_internals.own_variables_of_keras_2(norm))) == 4
    assert isinstance(_internals.own_generator_of_keras_2(drop), tf.random.Generator)
    assert _internals.own_generator_of_keras_2(norm) is None


def test_a_compiled_model_of_each_keras() -> None:
    for package in (keras, tf_keras):
        model = package.Sequential([package.Input((2,)), package.layers.Dense(1)])
        assert not _internals.is_compiled(model)
        model.compile("sgd", "mse", steps_per_execution=3)
        assert _internals.is_compiled(model)
        _internals.execute_single_steps(model)
        assert int(model.steps_per_execution) == 1


def test_passing_variables_of_keras_2() -> None:
    schedule = tf_keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5)
    model = tf_keras.Sequential([tf_keras.Input((2,)), tf_keras.layers.Dense(1)])
    model.compile(tf_keras.optimizers.SGD(schedule), "mse")
    passing = _internals.passing_of_keras_2(model)
    assert _internals.current_rate_of(model.optimizer) is passing[-1]
    assert [float(each) for each in passing] == [0, 0, 0, 1, 0.5]
    assert _internals.current_rate_of(tf_keras.optimizers.SGD(0.5)) is None


def test_counters_of_keras_2() -> None:
    made: list[bool] = []

    def create(next_creator: Any, **arguments: Any) -> Any:
        made.append(_internals.is_counter_of_keras_2(sys._getframe()))
        return next_creator(**arguments)

    with tf.variable_creator_scope(create):
        model = tf_keras.Sequential([tf_keras.Input((2,))])
        assert made == [True] * 3
        tf_keras.layers.Dense(1).build((None, 2))
        assert made[3:] == [False] * 2
        model.compile("sgd", "mse")
    assert made.count(True) == 4


def test_what_adafactor_of_keras_2_never_reads() -> None:
    """It holds a pair of integers for each vector, and lists the factors of each matrix alone."""
    model = tf_keras.Sequential([tf_keras.Input((2,)), tf_keras.layers.Dense(1)])
    model.compile(tf_keras.optimizers.Adafactor(0.5), "mse")
    model.optimizer.build(model.trainable_variables)
    unused = list(_internals.unused_factors_of(model.optimizer))
    assert [(each.dtype, each.shape.rank) for each in unused] == [(tf.int32, 0)] * 2
    passing = _internals.passing_of_keras_2(model)
    assert {id(each) for each in unused} < {id(each) for each in passing}
    assert not list(_internals.unused_factors_of(tf_keras.optimizers.legacy.SGD()))


def test_optimizers_of_keras_2() -> None:
    weight = tf.Variable([1.0], name="weight")
    new, legacy = tf_keras.optimizers.Nadam(0.5), tf_keras.optimizers.legacy.SGD(0.5, 0.25)
    scaled = tf_keras.mixed_precision.LossScaleOptimizer(new)
    assert _internals.is_unbuilt_in_keras_2(new)
    assert _internals.is_unbuilt_in_keras_2(scaled)
    assert not _internals.is_unbuilt_in_keras_2(legacy)
    new.build([weight])
    assert not _internals.is_unbuilt_in_keras_2(scaled)
    _internals.build_legacy_optimizer(legacy, [weight])
    for optimizer, name in ((new, "Nadam"), (legacy, "SGD")):
        assert _internals.name_of_optimizer(optimizer) == name
        assert float(_internals.rate_of_keras_2(optimizer)) == 0.5
    assert {"u_product", "m/weight"} < {name for name, _ in _internals.variables_of_keras_2(new)}
    named = dict(_internals.variables_of_keras_2(legacy))
    assert set(named) == {"iter", "learning_rate", "decay", "momentum", "weight/momentum"}
    assert len(_internals.settings_of_keras_2(legacy)) == 3
    assert [float(each) for each in _internals.settings_of_keras_2(new)] == [0.5]


def test_loss_scale_of_keras_2() -> None:
    scaled = tf_keras.mixed_precision.LossScaleOptimizer(tf_keras.optimizers.SGD(), initial_scale=8)
    assert [float(each) for each in _internals.loss_scale_of(scaled)] == [8, 0]
    assert _internals.loss_scale_of(tf_keras.optimizers.SGD()) == []


PRIVATE_MODULES = ("keras.src", "tensorflow.python", "tensorflow.core")
# Recipes are users' code: one of them swaps weights and averages.
SHOWN = {
    "recipes/keras.py": {"_trainable_variables", "_model_variables_moving_average"},
    "torch/observer/steps.py": {"_BaseDataLoaderIter"},  # that of every loader
}


def privates_in(path: Path) -> Iterator[str]:
    """Yield the private attributes and modules that a file uses, except those of `self` and `sys`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Attribute)
            and node.attr.startswith("_")
            and not node.attr.startswith("__")
        ):
            if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "sys")):
                yield node.attr
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PRIVATE_MODULES):
            yield node.module or ""


def test_private_names_are_in_one_file() -> None:
    files = [
        path
        for folder in ("adapters", "jobs")
        for path in (ROOT / "ckptcheck" / folder).rglob("*.py")
    ]
    assert len(files) > 20
    for path in files:
        if path.name != "_internals.py":
            expected = next(
                (names for end, names in SHOWN.items() if str(path).endswith(end)), set()
            )
            assert set(privates_in(path)) == expected, path


def test_each_new_variable_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    kind: Any = type(tf.Variable(0.0)).__mro__[1]
    monkeypatch.setattr(kind, "__init__", kind.__init__)  # put back afterwards
    noticed: list[Any] = []
    _internals.on_new_variable(lambda variable, name: noticed.append((variable.shape, name)))
    tf.Variable([1.0, 2.0], name="mine")
    keras.Variable(3.0)
    assert noticed[0] == (tf.TensorShape([2]), "mine")
    assert len(noticed) == 2


def test_the_iterator_of_a_dataset() -> None:
    assert type(iter(tf.data.Dataset.range(2))) is _internals.iterator_class()


def test_a_function_for_one_signature() -> None:
    traced = tf.function(lambda: tf.constant(1)).get_concrete_function()
    assert isinstance(traced, _internals.concrete_function_class())


@pytest.mark.parametrize("package", [keras, tf_keras])
def test_how_many_steps_fit_executes_at_once(package: Any) -> None:
    model = package.Sequential([package.layers.Dense(1)])
    assert _internals.steps_at_once(model) == 1
    for count in (1, 4):
        model.compile("sgd", "mse", steps_per_execution=count)
        assert _internals.steps_at_once(model) == count
    _internals.execute_single_steps(model)
    assert _internals.steps_at_once(model) == 1


@pytest.mark.parametrize("package", [keras, tf_keras])
def test_where_models_are_loaded(package: Any) -> None:
    assert _internals.loading_module(package).load_model is package.models.load_model


def test_each_has_a_test() -> None:
    source = (ROOT / "ckptcheck" / "adapters" / "tensorflow" / "_internals.py").read_text(
        encoding="utf-8"
    )
    functions = {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    assert len(functions) > 10
    here = Path(__file__).read_text(encoding="utf-8")
    assert {name for name in functions if f"_internals.{name}(" not in here} == set()
