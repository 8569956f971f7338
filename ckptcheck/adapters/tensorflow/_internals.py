"""Every private name of TensorFlow and Keras that ckptcheck uses, for want of a public one.

Each has a function here and a test that fails when the name disappears or changes its meaning.
TensorFlow's come first, then those of Keras 3, then those of Keras 2.
"""

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import trackable_object_graph_pb2
from tensorflow.python.data.ops import iterator_ops
from tensorflow.python.eager.polymorphic_function import concrete_function
from tensorflow.python.framework import config
from tensorflow.python.ops import resource_variable_ops


def has_deterministic_ops() -> bool:
    """Return whether `tf.config.experimental.enable_op_determinism` was called.

    The public API can set the flag, but not read it.
    """
    return bool(config.is_op_determinism_enabled())


def unfinalize(graph: Any) -> None:
    """Allow operations to be added to a finalized graph: a new `Saver` adds restore operations."""
    graph._unsafe_unfinalize()


def settings(optimizer: Any) -> Iterator[tuple[str, float]]:
    """Yield the numeric settings of a TensorFlow 1 optimizer, which are private attributes."""
    for name, value in {name.strip("_"): value for name, value in vars(optimizer).items()}.items():
        # TensorFlow's own bookkeeping attributes begin with `_self`.
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and not name.startswith("self")
        ):
            yield name, float(value)


def keys_of(saver: Any) -> dict[str, str]:
    """Return the checkpoint key that a `Saver` reads each variable from, by the variable's name.

    The parts of a partitioned variable have the key of the whole.
    """
    given = saver._var_list
    items = given.items() if isinstance(given, dict) else ((None, each) for each in given)
    found = [
        (key, variable)
        for key, held in items
        for variable in ([held] if hasattr(held, "op") else held)
        if isinstance(variable, tf.Variable)
    ]
    wholes = {id(each): each._get_save_slice_info() for _, each in found}
    return {
        each.op.name: key or (wholes[id(each)].full_name if wholes[id(each)] else each.op.name)
        for key, each in found
    }


def object_graph(reader: Any) -> Any:
    """Return the object graph of a checkpoint: the `trackable_object_graph.proto` message.

    It maps each variable to its checkpoint key. The public `CheckpointView` shows the nodes, but
    not the keys.
    """
    return trackable_object_graph_pb2.TrackableObjectGraph.FromString(
        reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
    )


def on_new_variable(call: Callable[[Any, str | None], None]) -> None:
    """Call a function with each new variable and its name, in any thread and graph.

    The public `variable_creator_scope` is of one thread, and `clear_session` ends it.
    """
    kind = resource_variable_ops.BaseResourceVariable
    initialise = kind.__init__

    def noticed(variable: Any, *positional: Any, **named: Any) -> None:
        initialise(variable, *positional, **named)
        call(variable, str(named.get("name") or "").strip("/"))  # it may come as a scope

    kind.__init__ = noticed


def loading_module(package: Any) -> Any:
    """Return the module that defines `load_model`; the public modules only import it."""
    return importlib.import_module(f"{package.__name__}.src.saving.saving_api")


def iterator_class() -> type:
    """Return the class of the iterators of eager datasets. The public type is their protocol."""
    kind: type = iterator_ops.OwnedIterator
    return kind


def concrete_function_class() -> type:
    """Return the class of functions for one signature. The public type is their protocol."""
    kind: type = concrete_function.ConcreteFunction
    return kind


def restart_layer_names() -> None:
    """Restart the numbering of layer names.

    The public `clear_session` would also reset the policies that the program has set.
    """
    # Imported here: a job that asked for Keras 2 (TF_USE_LEGACY_KERAS) need not load Keras 3.
    from keras.src.backend.common import global_state

    global_state.set_global_attribute("object_name_uids", None)


def own_variables(layer: Any) -> Iterator[Any]:
    """Yield a layer's own variables: the public `variables` includes those of inner layers."""
    yield from layer._trainable_variables
    yield from layer._non_trainable_variables


def own_seed_generators(layer: Any) -> Iterator[Any]:
    """Yield a layer's own seed generators.

    The public `variables` holds their states, without saying which variable is one.
    """
    yield from getattr(layer, "_seed_generators", ())


def inner_layers(layer: Any) -> Iterator[Any]:
    """Yield the layers directly inside a layer: only a model has a public `layers`."""
    yield from layer._layers


def all_layers(model: Any) -> Iterator[Any]:
    """Yield a model and all its layers, at any depth."""
    yield from model._flatten_layers()


def weights_of(optimizer: Any) -> list[Any]:
    """Return the weights that an optimizer was built for, which its slots are named after."""
    return list(getattr(optimizer, "_trainable_variables", ()))


def averages_of(optimizer: Any) -> list[Any]:
    """Return the moving averages of the weights that an optimizer with `use_ema` keeps."""
    return list(getattr(optimizer, "_model_variables_moving_average", None) or ())


def accumulators_of(optimizer: Any) -> list[Any]:
    """Return the gradient sums of an optimizer with `gradient_accumulation_steps`."""
    return list(getattr(optimizer, "_accumulated_gradients", None) or ())


def rate_variable_of(optimizer: Any) -> Any:
    """Return the learning-rate variable or the schedule.

    The public `learning_rate` is the schedule's current value.
    """
    return getattr(optimizer, "_learning_rate", None)


# --- Keras 2, the package `tf_keras` ---


def own_variables_of_keras_2(layer: Any) -> Iterator[Any]:
    """Yield a layer's own variables: the public `variables` includes those of inner layers."""
    yield from layer._trainable_weights
    yield from layer._non_trainable_weights


def own_generator_of_keras_2(layer: Any) -> Any:
    """Return the `tf.random.Generator` of a random layer that has one, or None."""
    return getattr(getattr(layer, "_random_generator", None), "_generator", None)


def inner_layers_of_keras_2(layer: Any) -> Iterator[Any]:
    """Yield the layers directly inside a layer: only a model has a public `layers`."""
    yield from layer._flatten_layers(recursive=False, include_self=False)


def passing_of_keras_2(model: Any) -> list[Any]:
    """Return the variables of a model and its parts that no step reads from the one before.

    `fit` and `evaluate` reset their counters of batches, each step computes the current rate of a
    schedule, and nothing reads what Adafactor holds in place of the factors of a vector.
    """
    names = ("_train_counter", "_test_counter", "_predict_counter", "_steps_per_execution")
    held = [getattr(layer, name, None) for layer in model._flatten_layers() for name in names]
    optimizer = getattr(model, "optimizer", None)
    inside = getattr(optimizer, "inner_optimizer", optimizer)
    held += [current_rate_of(inside), *unused_factors_of(inside)]
    return [each for each in held if each is not None]


def is_counter_of_keras_2(frame: Any) -> bool:
    """Return whether a model counts its batches, or its steps at once, with a variable made here.

    Args:
        frame: the innermost frame of the creation.
    """
    while frame is not None and frame.f_code.co_name != "_create_counter_variable":
        frame = frame.f_back
    return frame is not None


def unused_factors_of(optimizer: Any) -> Iterator[Any]:
    """Yield what Adafactor of Keras 2 holds for each vector, and neither reads nor lists."""
    factors = [*getattr(optimizer, "_r", ()), *getattr(optimizer, "_c", ())]
    listed = {id(each) for each in optimizer.variables()} if factors else set()
    yield from (each for each in factors if id(each) not in listed)


def current_rate_of(optimizer: Any) -> Any:
    """Return the variable in which an optimizer of Keras 2 keeps a schedule's rate, or None."""
    return vars(optimizer).get("_current_learning_rate") if optimizer is not None else None


def is_compiled(model: Any) -> bool:
    """Return whether a model is compiled. Models of Keras 2 have no public `compiled`."""
    return bool(model.compiled if hasattr(model, "compiled") else model._is_compiled)


def execute_single_steps(model: Any) -> None:
    """Let `fit` execute one step at a time. Keras 2 has a variable for it, or None."""
    if hasattr(model, "_steps_per_execution"):
        if model._steps_per_execution is not None:
            model._steps_per_execution.assign(1)
    else:
        model.steps_per_execution = 1


def steps_at_once(model: Any) -> int:
    """Return how many steps `fit` executes before it calls a callback."""
    held: Any = getattr(model, "_steps_per_execution", None)
    if held is None:
        held = getattr(model, "steps_per_execution", 1)
    return int(held.numpy() if hasattr(held, "numpy") else held or 1)


def name_of_optimizer(optimizer: Any) -> str:
    """Return the name of an optimizer of Keras 2: a legacy optimizer has no public one."""
    return str(optimizer.name if hasattr(optimizer, "name") else optimizer._name)


def variables_of_keras_2(optimizer: Any) -> list[tuple[str, Any]]:
    """Return names and variables of an optimizer of Keras 2 that hold state.

    The public `variables` lacks the settings of a legacy optimizer, and scalars such as Nadam's
    product. The current rate of a schedule is left out: each step computes it anew.
    """
    attributes = [(name.strip("_"), value) for name, value in vars(optimizer).items()]
    named = [
        *((each.name.removesuffix(":0"), each) for each in optimizer.variables()),
        *getattr(optimizer, "_hyper", {}).items(),
        *(each for each in attributes if each[1] is not current_rate_of(optimizer)),
    ]
    once: dict[int, tuple[str, Any]] = {}
    for name, value in named:
        if isinstance(value, tf.Variable):
            once.setdefault(id(value), (name, value))
    return list(once.values())


def settings_of_keras_2(optimizer: Any) -> list[Any]:
    """Return the variables that hold an optimizer's settings, such as its learning rate."""
    held = [getattr(optimizer, "_learning_rate", None), *getattr(optimizer, "_hyper", {}).values()]
    return [each for each in held if isinstance(each, tf.Variable)]


def loss_scale_of(optimizer: Any) -> list[Any]:
    """Return the loss scale, and its count of finite steps, of a `LossScaleOptimizer`."""
    state = getattr(optimizer, "_loss_scale", None)
    names = ("_current_loss_scale", "_counter")
    return [getattr(state, name) for name in names if hasattr(state, name)]


def rate_of_keras_2(optimizer: Any) -> Any:
    """Return the rate of the next step: the public `learning_rate` may be that of the last one."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if hasattr(optimizer, "_decayed_lr"):
        return optimizer._decayed_lr(tf.float32)
    rate = optimizer._learning_rate
    return rate(optimizer.iterations) if callable(rate) else rate


def is_unbuilt_in_keras_2(optimizer: Any) -> bool:
    """Return whether an optimizer has yet to create its slots; a legacy one is never built."""
    inside = getattr(optimizer, "inner_optimizer", optimizer)
    return hasattr(inside, "build") and not getattr(inside, "_built", False)


def build_legacy_optimizer(optimizer: Any, weights: list[Any]) -> None:
    """Create the settings and slots of a legacy optimizer, as its first step would."""
    optimizer._create_all_weights(weights)
