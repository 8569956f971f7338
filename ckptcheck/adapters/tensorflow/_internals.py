"""Every private name of TensorFlow and Keras that ckptcheck uses, for want of a public one.

Each has a function here and a test that fails when the name disappears or changes its meaning.
TensorFlow's come first, then Keras'.
"""

from collections.abc import Iterator
from typing import Any

from tensorflow.core.protobuf import trackable_object_graph_pb2
from tensorflow.python.framework import config


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


def object_graph(reader: Any) -> Any:
    """Return the object graph of a checkpoint: the `trackable_object_graph.proto` message.

    It maps each variable to its checkpoint key. The public `CheckpointView` shows the nodes, but
    not the keys.
    """
    return trackable_object_graph_pb2.TrackableObjectGraph.FromString(
        reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
    )


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
