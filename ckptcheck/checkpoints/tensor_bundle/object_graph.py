"""The object graph that `tf.train.Checkpoint` saves: the attributes that lead to its tensors.

Format: `tensorflow/core/protobuf/trackable_object_graph.proto`. Node 0 is the checkpoint. Each
node names its children by attribute (or key, or index), and lists the keys of its own values.
"""

import heapq
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ckptcheck.checkpoints.tensor_bundle.protobuf import MalformedError, content, fields, number

KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"  # end of all variable keys

# Attributes that no user wrote: Keras's own for all layers, and private ones. Paths avoid them.
_MADE_UP = re.compile(r"layer(_with_weights)?-\d+|keras_api|.*_variables|layers|_.*")
_FAR = 100
# Attributes that reveal a variable's role.
_TELLING = {
    "_model_variables_moving_average",
    "_accumulated_gradients",
    "_variables",
    "_trainable_variables",
}
# Most nodes and characters of a path; longer ones are forged.
_LONGEST = 1000


@dataclass(frozen=True)
class Tracked:
    """The graph's record of a key."""

    path: str  # of the key's object, as code: `model.first.kernel`, `blocks[0].bias`
    attribute: str  # of the key in its object: `VARIABLE_VALUE` for a variable
    variable: str  # the variable's own name, may be empty
    via: frozenset[str]  # optimizers' private attributes on edges to the object or its parents


@dataclass
class _Node:
    children: list[tuple[str, int]] = field(default_factory=list)
    # attribute, variable's name, key
    holds: list[tuple[str, str, str]] = field(default_factory=list)
    # node of the weight, slot's name, node of the slot
    slots: list[tuple[int, str, int]] = field(default_factory=list)


def tracked(message: bytes) -> dict[str, Tracked]:
    """Return a graph's record of each key; raise MalformedError if it is not an object graph."""
    nodes = [_node(content(node)) for field_, node in fields(message) if field_ == 1]
    predecessors, via = _predecessors(nodes), _via(nodes)
    slots = {
        slot: (weight, at, name)
        for at, node in enumerate(nodes)
        for weight, name, slot in node.slots
    }
    by_key = {}
    for at, node in enumerate(nodes):
        for attribute, variable, key in node.holds:
            path = _path(predecessors, at)
            if at not in predecessors and at in slots:
                weight, optimizer, name = slots[at]
                path = f"{_path(predecessors, weight)} ({_path(predecessors, optimizer)}: {name})"
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


def _predecessors(nodes: list[_Node]) -> dict[int, tuple[int, str]]:
    """Return each reachable node's predecessor on the shortest path from node 0, and the edge."""
    found: dict[int, tuple[int, str]] = {}
    # Of paths of equal length, the first by name wins.
    waiting = [(0, "", 0, 0)] if nodes else []
    while waiting:
        distance, name, at, before = heapq.heappop(waiting)
        if at in found:
            continue
        if at >= len(nodes):
            raise MalformedError(f"an edge leads to node {at}, but there are {len(nodes)}")
        found[at] = (before, name)
        for edge, child in nodes[at].children:
            if child not in found:
                heapq.heappush(
                    waiting, (distance + (_FAR if _MADE_UP.fullmatch(edge) else 1), edge, child, at)
                )
    return found


def _path(predecessors: Mapping[int, tuple[int, str]], at: int) -> str:
    """Return the path to a node as code; of an overlong one only the end."""
    names: list[str] = []
    while at and at in predecessors and len(names) < _LONGEST:
        at, name = predecessors[at]
        names.append(name[-_LONGEST:])
    path = "".join(f"[{name}]" if name.isdecimal() else f".{name}" for name in reversed(names))
    return path.removeprefix(".")[-_LONGEST:]


def _via(nodes: list[_Node]) -> list[frozenset[str]]:
    """Return the telling edges that lead to each node or to its parents."""
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
