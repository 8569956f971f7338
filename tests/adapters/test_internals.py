"""The private names of TensorFlow and Keras in use: they exist, and mean the same as before."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
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


PRIVATE_MODULES = ("keras.src", "tensorflow.python", "tensorflow.core")
# Recipes are users' code: one of them swaps weights and averages.
SHOWN = {"recipes/keras.py": {"_trainable_variables", "_model_variables_moving_average"}}


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


def test_each_has_a_test() -> None:
    source = (ROOT / "ckptcheck" / "adapters" / "tensorflow" / "_internals.py").read_text(
        encoding="utf-8"
    )
    functions = {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    assert len(functions) > 10
    here = Path(__file__).read_text(encoding="utf-8")
    assert {name for name in functions if f"_internals.{name}(" not in here} == set()
