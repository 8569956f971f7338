"""Every private name of TensorFlow and Keras that is used here: what they offer no public question for.

Each stands in a function of its own, first TensorFlow's, then Keras', and has a test that fails where the name goes away, or
means something else.
"""

from collections.abc import Iterator
from typing import Any

from tensorflow.core.protobuf import trackable_object_graph_pb2
from tensorflow.python.framework import config


def has_deterministic_ops() -> bool:
    """Return whether `tf.config.experimental.enable_op_determinism` was called: there is a switch, but no question."""
    return bool(config.is_op_determinism_enabled())


def unfinalize(graph: Any) -> None:
    """Let operations be added to a graph once more: a `Saver` adds those of a restore when it is made."""
    graph._unsafe_unfinalize()


def settings(optimizer: Any) -> Iterator[tuple[str, float]]:
    """Yield the numbers that an optimizer of TensorFlow 1 was made with: it keeps them in private attributes alone."""
    for name, value in {name.strip("_"): value for name, value in vars(optimizer).items()}.items():
        # What TensorFlow keeps for itself begins with self, whatever follows.
        if (
            isinstance(value, int | float)
            and not isinstance(value, bool)
            and not name.startswith("self")
        ):
            yield name, float(value)


def object_graph(reader: Any) -> Any:
    """Return the graph of names that leads from a checkpoint to each variable: `trackable_object_graph.proto`.

    TensorFlow reads it for itself; `CheckpointView` shows its nodes, but not the keys under which their values are held.
    """
    return trackable_object_graph_pb2.TrackableObjectGraph.FromString(
        reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH")
    )


def restart_layer_names() -> None:
    """Number layers from the beginning. The public `clear_session` would also take back policies that the program has set."""
    # Not at the top: a job that asked for Keras 2 (TF_USE_LEGACY_KERAS) need not load Keras 3, too.
    from keras.src.backend.common import global_state

    global_state.set_global_attribute("object_name_uids", None)


def own_variables(layer: Any) -> Iterator[Any]:
    """Yield a layer's own variables: the public `variables` has those of the layers inside it, too."""
    yield from layer._trainable_variables
    yield from layer._non_trainable_variables


def own_seed_generators(layer: Any) -> Iterator[Any]:
    """Yield a layer's own generators, whose states are among its public `variables`, where they cannot be told apart."""
    yield from getattr(layer, "_seed_generators", ())


def inner_layers(layer: Any) -> Iterator[Any]:
    """Yield the layers directly inside of a layer: only a model shows its layers."""
    yield from layer._layers


def all_layers(model: Any) -> Iterator[Any]:
    """Yield a model and all layers inside of it, at any depth."""
    yield from model._flatten_layers()


def weights_of(optimizer: Any) -> list[Any]:
    """Return the weights that an optimizer was built for, after which it names its slots."""
    return list(getattr(optimizer, "_trainable_variables", ()))


def averages_of(optimizer: Any) -> list[Any]:
    """Return the moving averages that an optimizer with `use_ema` keeps of the weights."""
    return list(getattr(optimizer, "_model_variables_moving_average", None) or ())


def accumulators_of(optimizer: Any) -> list[Any]:
    """Return where an optimizer with `gradient_accumulation_steps` sums up gradients."""
    return list(getattr(optimizer, "_accumulated_gradients", None) or ())


def rate_variable_of(optimizer: Any) -> Any:
    """Return the variable of the learning rate, or the schedule; the public `learning_rate` of a schedule is its value."""
    return getattr(optimizer, "_learning_rate", None)
