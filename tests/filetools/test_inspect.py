"""The contents of a checkpoint: tensors by kind, a selection of them, CSV and JSON."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from ckptcheck import UsageError
from ckptcheck.filetools.inspect import Inspection, inspect
from ckptcheck.filetools.inspect_text import text
from ckptcheck.kinds import Kind
from tests.checkpoints.bundles import write
from tests.filetools.saved import SAVED


def test_statistics_beyond_float64_are_text_in_json(tmp_path: Path) -> None:
    found = inspect(write(tmp_path / "x", {"x": np.array([1e300, -1e300])}))
    assert json.loads(found.to_json(), parse_constant=pytest.fail)["tensors"][0]["std"] == "inf"


def test_kinds_in_a_saver_checkpoint(tmp_path: Path) -> None:
    found = inspect(write(tmp_path / "model.ckpt", SAVED)).of_kinds()
    assert {kind: [entry.name for entry, _ in rows] for kind, rows in found.items()} == {
        Kind.WEIGHT: ["bn/beta", "bn/gamma", "conv/kernel", "layer_9/kernel", "layer_10/kernel"],
        Kind.MOVING_STATISTIC: [
            "bn/moments/Squeeze/ExponentialMovingAverage",
            "bn/moving_mean",
            "bn/moving_variance",
        ],
        Kind.SHADOW: ["conv/kernel/ExponentialMovingAverage"],
        Kind.SLOT: [
            "beta1_power",
            "bn/beta/Adam",
            "bn/gamma/Adam",
            "conv/kernel/Adam",
            "conv/kernel/Adam_1",
        ],
        Kind.COUNTER: ["global_step"],
        Kind.HYPERPARAMETER: ["learning_rate"],
        Kind.OTHER: ["table"],
    }


def test_match(tmp_path: Path) -> None:
    prefix = write(tmp_path / "model.ckpt", SAVED)
    assert [entry.name for entry, _ in inspect(prefix, "layer_*").tensors] == [
        "layer_9/kernel",
        "layer_10/kernel",
    ]
    with pytest.raises(
        UsageError,
        match=r"^No tensor in .*model\.ckpt matches 'nothing\*'\. To list all 17, inspect it without --match\.$",
    ):
        inspect(prefix, "nothing*")


def test_only_matching_tensors_are_read(tmp_path: Path) -> None:
    prefix = write(tmp_path / "model.ckpt", SAVED)
    data = Path(f"{prefix}.data-00000-of-00001")
    data.write_bytes(b"\1" * 4 + data.read_bytes()[4:])
    assert inspect(prefix, "layer_*").tensors


def test_csv_and_json_have_every_tensor(tmp_path: Path) -> None:
    found: Inspection = inspect(write(tmp_path / "model.ckpt", SAVED))
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    document = json.loads(found.to_json())
    assert [row["name"] for row in rows] == [row["name"] for row in document["tensors"]]
    assert list(rows[0]) == [
        "name",
        "key",
        "kind",
        "dtype",
        "shape",
        "bytes",
        "min",
        "max",
        "mean",
        "std",
        "zeros",
        "nan",
        "inf",
    ]
    assert (rows[8]["name"], rows[8]["shape"], document["tensors"][8]["shape"]) == (
        "conv/kernel",
        "3x3",
        [3, 3],
    )
    assert float(rows[8]["mean"]) == document["tensors"][8]["mean"]
    assert document["kinds"]["slot"] == {"tensors": 5, "bytes": 100}
    assert document["restores"][2]["left_out"]["moving statistic"] == 3
    assert document["restores"][1]["sure"] is True


def test_an_optimizer_that_never_made_a_step(tmp_path: Path) -> None:
    """A published file of a model that was fine-tuned, as its README says, and never was."""
    new = {
        "dense/kernel": np.ones((2, 2), "float32"),
        "dense/kernel/Adam": np.zeros((2, 2), "float32"),
        "beta1_power": np.full((), 0.9, "float32"),
        "global_step": np.array(0),
        "save_counter": np.array(1),
    }
    note = "All slots are zero and the step counter is 0: this optimizer never made a step."
    found = inspect(write(tmp_path / "new", {**new}))
    assert (found.notes, found.to_dict()["notes"]) == ((note,), [note])
    assert note in list(text(found, None))
    for name, value in {
        "global_step": np.array(1),
        "dense/kernel/Adam": np.eye(2, dtype="float32"),
    }.items():
        assert inspect(write(tmp_path / "used", {**new, name: value})).notes == ()
    without = {name: value for name, value in new.items() if name != "global_step"}
    assert inspect(write(tmp_path / "unknown", {**without})).notes == ()
