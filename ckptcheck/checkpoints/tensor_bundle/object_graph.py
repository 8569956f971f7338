"""The object graph that `tf.train.Checkpoint` saves beside its tensors: which attributes lead to them.

Format: `tensorflow/core/protobuf/trackable_object_graph.proto`. Node 0 is the checkpoint; each node has children by the name
of an attribute (or a key, or an index), and the keys of what it holds itself.
"""

import heapq
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ckptcheck.checkpoints.tensor_bundle.protobuf import MalformedError, content, fields, number

KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
# How the keys of variables end.
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"

# Attributes that no person wrote: those of Keras for all its layers, and private ones. A way around them is preferred.
_MADE_UP = re.compile(r"layer(_with_weights)?-\d+|keras_api|.*_variables|layers|_.*")
_FAR = 100
# Those that tell what a variable is for.
_TELLING = {
    "_model_variables_moving_average",
    "_accumulated_gradients",
    "_variables",
    "_trainable_variables",
}
# Nodes of a path, and characters: what is longer is forged.
_LONGEST = 1000


@dataclass(frozen=True)
class Tracked:
    """What the graph tells of a key."""

    path: (
        str  # of what holds it, as a person would write it: `model.first.kernel`, `blocks[0].bias`
    )
    attribute: str  # as what that holds it: `VARIABLE_VALUE` of a variable
    variable: str  # the variable's own name, which may be empty
    via: frozenset[
        str
    ]  # private attributes of optimizers on any edge that leads to it, or to what holds it


@dataclass
class _Node:
    children: list[tuple[str, int]] = field(default_factory=list)
    holds: list[tuple[str, str, str]] = field(
        default_factory=list
    )  # attribute, variable's name, key
    slots: list[tuple[int, str, int]] = field(
        default_factory=list
    )  # node of the weight, slot's name, node of the slot


def tracked(message: bytes) -> dict[str, Tracked]:
    """Return what a graph tells of each key in it; MalformedError: it is no object graph."""
    nodes = [_node(content(node)) for field_, node in fields(message) if field_ == 1]
    came, via = _came(nodes), _via(nodes)
    slots = {
        slot: (weight, at, name)
        for at, node in enumerate(nodes)
        for weight, name, slot in node.slots
    }
    by_key = {}
    for at, node in enumerate(nodes):
        for attribute, variable, key in node.holds:
            path = _path(came, at)
            if at not in came and at in slots:
                weight, optimizer, name = slots[at]
                path = f"{_path(came, weight)} ({_path(came, optimizer)}: {name})"
            by_key[key] = Tracked(path, attribute, variable, via[at])
    return by_key


def _node(message: bytes) -> _Node:
    node = _Node()
    for field_, value in fields(message):
        if field_ == 1:
            child = dict(fields(content(value)))
            node.children.append((_text(child, 2), _number(child, 1)))
        elif field_ == 2:
            held = dict(fields(content(value)))
            node.holds.append((_text(held, 1), _text(held, 2), _text(held, 3)))
        elif field_ == 3:
            slot = dict(fields(content(value)))
            node.slots.append((_number(slot, 1), _text(slot, 2), _number(slot, 3)))
    return node


def _text(values: Mapping[int, int | bytes], which: int) -> str:
    return content(values.get(which, b"")).decode("utf-8", "surrogateescape")


def _number(values: Mapping[int, int | bytes], which: int) -> int:
    return number(values.get(which, 0))


def _came(nodes: list[_Node]) -> dict[int, tuple[int, str]]:
    """Return, for each node that can be reached, the node before it on the nearest way from the first, and the edge's name."""
    came: dict[int, tuple[int, str]] = {}
    # Of ways of one length the first by name is taken.
    waiting = [(0, "", 0, 0)] if nodes else []
    while waiting:
        distance, name, at, before = heapq.heappop(waiting)
        if at in came:
            continue
        if at >= len(nodes):
            raise MalformedError(f"it leads to node {at} of {len(nodes)}")
        came[at] = (before, name)
        for edge, child in nodes[at].children:
            if child not in came:
                heapq.heappush(
                    waiting, (distance + (_FAR if _MADE_UP.fullmatch(edge) else 1), edge, child, at)
                )
    return came


def _path(came: Mapping[int, tuple[int, str]], at: int) -> str:
    """Return the path to a node as a person would write it; only the end of one that is endless."""
    names: list[str] = []
    while at and at in came and len(names) < _LONGEST:
        at, name = came[at]
        names.append(name[-_LONGEST:])
    path = "".join(f"[{name}]" if name.isdecimal() else f".{name}" for name in reversed(names))
    return path.removeprefix(".")[-_LONGEST:]


def _via(nodes: list[_Node]) -> list[frozenset[str]]:
    """Return which telling edges lead to each node, and to where the edges to it begin."""
    into: list[set[str]] = [set() for _ in nodes]
    for node in nodes:
        for name, child in node.children:
            if child < len(nodes) and name in _TELLING:
                into[child].add(name)
    wider: list[set[str]] = [set(names) for names in into]
    for at, node in enumerate(nodes):
        for _, child in node.children:
            if child < len(nodes):
                wider[child] |= into[at]
    return [frozenset(names) for names in wider]
