"""Forged object graphs, and the names they give."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from ckptcheck.checkpoints import open_checkpoint
from tests.checkpoints.bundles import Value, field, write
from tests.checkpoints.refusals import refusal


def graph(*nodes: bytes) -> list[bytes]:
    return [b"".join(field(1, each) for each in nodes)]


def edge(to: int, name: bytes) -> bytes:
    return field(1, field(1, to) + field(2, name))


def held(key: bytes) -> bytes:
    return field(2, field(1, b"VARIABLE_VALUE") + field(2, b"") + field(3, key))


def with_graph(prefix: Path, *nodes: bytes) -> Path:
    tensors: dict[str, Value] = {"_CHECKPOINTABLE_OBJECT_GRAPH": graph(*nodes), "k": np.zeros(2)}
    return write(prefix, tensors)


def test_an_object_graph_with_a_cycle(tmp_path: Path) -> None:
    prefix = with_graph(
        tmp_path / "round", edge(1, b"a"), edge(0, b"up") + edge(1, b"self") + held(b"k")
    )
    assert open_checkpoint(prefix).entries["k"].name == "a"


def test_an_object_graph_with_a_dangling_edge(tmp_path: Path) -> None:
    prefix = with_graph(tmp_path / "nowhere", edge(7, b"a"))
    assert "the object graph is malformed: an edge leads to node 7, but there are 1" in refusal(
        prefix
    )


def test_an_object_graph_that_is_not_text(tmp_path: Path) -> None:
    prefix = write(tmp_path / "odd", {"_CHECKPOINTABLE_OBJECT_GRAPH": np.zeros(2, "float32")})
    assert refusal(prefix) == (
        "P.data-00000-of-00001, byte 0, tensor _CHECKPOINTABLE_OBJECT_GRAPH: the object graph is float32, not text."
    )


@pytest.mark.parametrize("shape", ["star", "chain"])
def test_an_object_graph_with_long_names(shape: str, tmp_path: Path) -> None:
    """A name of 100 kB leads to 500 others: the paths would be huge."""
    others = range(2, 500)
    first = edge(1, b"x" * 100_000)
    if shape == "star":
        nodes = [
            first,
            b"".join(edge(each, b"c") for each in others),
            *(held(b"k%d" % each) for each in others),
        ]
    else:
        nodes = [
            first,
            edge(2, b"y"),
            *(edge(each + 1, b"z" * 500) + held(b"k%d" % each) for each in others),
            b"",
        ]
    prefix = with_graph(tmp_path / "long", *nodes)
    tracemalloc.start()
    try:
        open_checkpoint(prefix)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()
