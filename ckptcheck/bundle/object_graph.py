"""The object graph that `tf.train.Checkpoint` saves beside its tensors: which attributes lead to them.

Format: `tensorflow/core/protobuf/trackable_object_graph.proto`. Node 0 is the checkpoint; each node has children by the name
of an attribute (or a key, or an index), and the keys of what it holds itself.
"""

import heapq
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ckptcheck.bundle.wire import MalformedError, content, fields, number

KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
# How the keys of variables end.
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"

# Attributes that no person wrote: those of Keras for all its layers, and private ones. A way around them is preferred.
_MADE_UP = re.compile(r"layer(_with_weights)?-\d+|keras_api|.*_variables|layers|_.*")
_FAR = 100


@dataclass(frozen=True)
class Tracked:
    """What the graph tells of a key.

    `path` is the attribute path a person would write (`model.first.kernel`, `blocks[0].bias`); `variable` the variable's own
    name, which may be empty; `via` every attribute name on any edge that leads to it or to the object that holds it.
    """

    path: str
    variable: str
    via: frozenset[str]


@dataclass
class _Node:
    children: list[tuple[str, int]] = field(default_factory=list)
    holds: list[tuple[str, str, str]] = field(default_factory=list)  # attribute, variable's name, key
    slots: list[tuple[int, str, int]] = field(default_factory=list)  # node of the weight, slot's name, node of the slot


def tracked(message: bytes) -> dict[str, Tracked]:
    """Return what a graph tells of each key in it.

    Raises:
        MalformedError: it is no object graph.
    """
    nodes = [_node(content(each)) for field_, each in fields(message) if field_ == 1]
    paths, via = _paths(nodes), _via(nodes)
    found = {}
    for at, node in enumerate(nodes):
        for attribute, variable, key in node.holds:
            path = paths.get(at, "")
            shown = path if attribute == "VARIABLE_VALUE" else f"{path} ({attribute.lower().replace('_', ' ')})"
            found[key] = Tracked(shown, variable, via[at])
    return found


def _node(message: bytes) -> _Node:
    node = _Node()
    for field_, value in fields(message):
        if field_ == 1:
            child = _values(content(value))
            node.children.append((_text(child, 2), _number(child, 1)))
        elif field_ == 2:
            held = _values(content(value))
            node.holds.append((_text(held, 1), _text(held, 2), _text(held, 3)))
        elif field_ == 3:
            slot = _values(content(value))
            node.slots.append((_number(slot, 1), _text(slot, 2), _number(slot, 3)))
    return node


def _values(message: bytes) -> dict[int, int | bytes]:
    return dict(fields(message))


def _text(found: Mapping[int, int | bytes], which: int) -> str:
    return content(found.get(which, b"")).decode("utf-8", "surrogateescape")


def _number(found: Mapping[int, int | bytes], which: int) -> int:
    return number(found.get(which, 0))


def _paths(nodes: list[_Node]) -> dict[int, str]:
    """Return the nearest path to every node, those of slots by their weights."""
    paths: dict[int, str] = {}
    waiting = [(0, "", 0)]
    while waiting:
        distance, path, at = heapq.heappop(waiting)
        if at in paths:
            continue
        if at >= len(nodes):
            raise MalformedError(f"it leads to node {at} of {len(nodes)}")
        paths[at] = path
        for name, child in nodes[at].children:
            step = _FAR if _MADE_UP.fullmatch(name) else 1
            heapq.heappush(waiting, (distance + step, _joined(path, name), child))
    for at, node in enumerate(nodes):
        for weight, name, slot in node.slots:
            paths.setdefault(slot, f"{paths.get(weight, '')} ({paths.get(at, '')}: {name})")
    return paths


def _joined(path: str, name: str) -> str:
    if name.isdecimal():
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name


def _via(nodes: list[_Node]) -> list[frozenset[str]]:
    """Return the names of the edges that lead to each node, and of those that lead to where these begin."""
    into: list[set[str]] = [set() for _ in nodes]
    for node in nodes:
        for name, child in node.children:
            if child < len(nodes):
                into[child].add(name)
    wider: list[set[str]] = [set(names) for names in into]
    for at, node in enumerate(nodes):
        for _, child in node.children:
            if child < len(nodes):
                wider[child] |= into[at]
    return [frozenset(names) for names in wider]
