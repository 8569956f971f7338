"""The variables of a TensorFlow 1 graph: their values in a session, and their kinds."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from ckptcheck.adapters.tensorflow.dtypes import letter_of
from ckptcheck.errors import UsageError
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind, by_name

tf1 = tf.compat.v1

# The powers of Adam's decay rates belong to no weight.
_OF_OPTIMIZER = re.compile(r"(.*/)?beta[12]_power(_\d+)?")
# The operations that move an average, of ref variables and of resource variables.
_MOVES = ("AssignSub", "AssignSubVariableOp")


def by_op_name(variables: Iterable[Any]) -> dict[str, Any]:
    """Return variables by name, without the `:0`."""
    return {variable.op.name: variable for variable in variables}


def state_in(session: Any) -> Callable[[], dict[str, Tensor]]:
    """Return a function that reads every global variable of a session's graph.

    Pass it to `ckptcheck.record` as the state.

    Args:
        session: a `tf.compat.v1.Session` or a `MonitoredSession`, whose hooks do not run.
    """

    def state() -> dict[str, Tensor]:
        with session.graph.as_default():
            variables = tf1.global_variables()
        if hasattr(session, "run_step_fn"):
            return session.run_step_fn(  # type: ignore[no-any-return]
                lambda step_context: read(variables, step_context.session)
            )
        return read(variables, session)

    state.framework = "tf1"  # type: ignore[attr-defined]
    return state


def is_in_graph(item: Any) -> bool:
    """Return whether an object is a variable of a graph, which only a session can read."""
    if not isinstance(item, tf.Variable):
        return False
    return not hasattr(item, "handle") or bool(tf.is_symbolic_tensor(item.handle))


def read_in_default_session(variables: Iterable[Any]) -> dict[str, Tensor]:
    """Return the values of a graph's variables in the default session.

    Raises:
        UsageError: there is no default session.
    """
    session = tf1.get_default_session()
    if session is None:
        raise UsageError(
            "The state holds variables of a TensorFlow 1 graph, and there is no default session to "
            "read them. Pass state=state_in(session), with state_in from ckptcheck.adapters.tf1, "
            "or record inside `with session.as_default():`."
        )
    return read(variables, session)


def read(variables: Iterable[Any], session: Any) -> dict[str, Tensor]:
    """Return the values of a graph's variables in a session, with their kinds."""
    named = by_op_name(variables)
    kinds = kinds_of(named, session.graph)
    values = session.run(named)
    return {name: Tensor(kinds[name], np.asarray(value)) for name, value in values.items()}


def kinds_of(variables: Mapping[str, Any], graph: Any) -> dict[str, Kind]:
    """Return the kind of each variable of a graph.

    Weights are trainable, and averages are what the graph moves as averages. A slot has the name
    of its weight before its own.

    Args:
        variables: the variables by name.
        graph: the graph of the variables.
    """
    averages = _averages_in(graph)
    weights = {name for name, each in variables.items() if each.trainable and _is_real(each)}
    return {
        name: _kind(name, variable, weights, averages, set(variables))
        for name, variable in variables.items()
    }


def _kind(name: str, variable: Any, weights: set[str], averages: set[str], names: set[str]) -> Kind:
    if name in weights:
        return Kind.WEIGHT
    if name in averages:
        # The average of a variable is its shadow; that of any other tensor is a statistic.
        return Kind.SHADOW if _owner(name, names) else Kind.MOVING_STATISTIC
    kind = by_name(name, letter_of(variable), variable.shape.rank == 0, is_trained=False)
    if kind is Kind.OTHER and (_owner(name, weights) or _OF_OPTIMIZER.fullmatch(name)):
        return Kind.SLOT
    return kind


def _owner(name: str, owners: set[str]) -> str | None:
    """Return the variable that a slot or an average belongs to; a scope may stand before it."""
    stem = name.rpartition("/")[0]
    while stem:
        if stem in owners:
            return stem
        stem = stem.partition("/")[2]
    return None


def _averages_in(graph: Any) -> set[str]:
    """Return the names of the variables that a graph updates as moving averages."""
    return {
        operation.inputs[0].op.name
        for operation in graph.get_operations()
        if operation.type in _MOVES and "AssignMovingAvg" in operation.name
    }


def _is_real(variable: Any) -> bool:
    return bool(variable.dtype.base_dtype.is_floating or variable.dtype.base_dtype.is_complex)
