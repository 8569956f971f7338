"""The check that a checkpoint is whole."""

from pathlib import Path

import numpy as np
import pytest

from ckptcheck.filetools.fsck_findings import WRONG
from tests.checkpoints.bundles import (
    Row,
    Value,
    changed,
    field,
    header,
    index,
    rows_and_data,
    write,
    write_state,
)
from tests.filetools.faults import found_in, index_of, tensors


def test_a_save_number_is_not_a_step(folder: Path) -> None:
    """CheckpointManager.save(checkpoint_number=10) is usual, and nothing in the checkpoint is called a step."""
    write(
        folder / "model.ckpt-10",
        {"save_counter": np.array(2), "optimizer/iterations": np.array(99), "x": np.ones(2)},
    )
    assert found_in(folder) == []


def test_a_counter_that_is_not_a_step(folder: Path) -> None:
    write(folder / "model.ckpt-10", {"number_of_classes": np.array(3), "kernel": np.ones(2)})
    assert found_in(folder) == []


def test_many_missing_files_are_one_finding(folder: Path) -> None:
    rows, _ = rows_and_data(tensors(10))
    index_of(folder).write_bytes(index(rows, header(99_999)))
    findings = found_in(folder)
    assert [each.what for each in findings] == [
        "99,999 data files are missing, with 4 tensors",
        "1 data file of this prefix not listed in its index",
    ]


def test_an_object_graph_that_names_a_missing_tensor(tmp_path: Path) -> None:
    held = field(
        2, field(1, b"VARIABLE_VALUE") + field(2, b"w") + field(3, b"w/.ATTRIBUTES/VARIABLE_VALUE")
    )
    graph = field(1, field(1, field(1, 1) + field(2, b"w"))) + field(1, held)
    write(tmp_path / "ckpt", {"_CHECKPOINTABLE_OBJECT_GRAPH": [graph], "other": np.ones(2)})
    write_state(tmp_path, "ckpt")
    rows, data = rows_and_data({"_CHECKPOINTABLE_OBJECT_GRAPH": [graph], "other": np.ones(2)})
    scalar: Row = changed(rows["_CHECKPOINTABLE_OBJECT_GRAPH"], shape=[])
    (tmp_path / "ckpt.index").write_bytes(
        index({**rows, "_CHECKPOINTABLE_OBJECT_GRAPH": scalar}, header())
    )
    assert data
    (finding,) = found_in(tmp_path)
    assert (
        finding.what
        == "The object graph names 1 tensor that the checkpoint does not hold: w/.ATTRIBUTES/VARIABLE_VALUE"
    )


@pytest.mark.parametrize(
    "graph", [np.ones(2, "float32"), [b"\xff\xff"]], ids=["numbers", "malformed"]
)
def test_a_malformed_object_graph(graph: Value, tmp_path: Path) -> None:
    """Its checksum matches, but no restore can read it."""
    write(tmp_path / "ckpt", {"_CHECKPOINTABLE_OBJECT_GRAPH": graph, "x": np.ones(2)})
    write_state(tmp_path, "ckpt")
    (finding,) = found_in(tmp_path)
    assert finding.grade == WRONG
    assert finding.what.startswith("The object graph is ")
