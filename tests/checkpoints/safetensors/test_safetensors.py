"""Safetensors: every type, shards with an index, and headers that are damaged or forged."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckptcheck.checkpoints import Checkpoint, DamagedError, open_checkpoint
from ckptcheck.checkpoints.errors import NotReadableError
from ckptcheck.filetools.fsck import fsck
from ckptcheck.kinds import Kind

from .writer import NAMES, header_of, write, write_shards

ONES = {"w": np.ones((2, 3), np.float32), "b": np.ones(3, np.float32)}


def held(checkpoint: Checkpoint) -> dict[str, Any]:
    return {key: checkpoint.value(each) for key, each in checkpoint.entries.items()}


def test_every_type(tmp_path: Path) -> None:
    raw = np.random.default_rng(0).integers(0, 256, 96, np.uint8)
    values = {
        name: (raw > 99 if name == "BOOL" else raw.view(dtype))[:12].reshape(-1, 2)
        for dtype, name in NAMES.items()
    }
    values |= {"single": np.array(3, np.int64), "none": np.zeros((0, 4), np.float16)}
    found = held(open_checkpoint(write(tmp_path / "m.safetensors", values)))
    assert found.keys() == values.keys()
    for name, value in values.items():
        assert found[name].dtype == value.dtype
        assert found[name].shape == value.shape
        assert found[name].tobytes() == value.tobytes()


def test_kinds_follow_the_names_of_pytorch(tmp_path: Path) -> None:
    one = np.ones(1, np.float32)
    names = {"model.0.weight": one, "bn.running_var": one, "bn.num_batches_tracked": np.array(3)}
    opened = open_checkpoint(write(tmp_path / "m.safetensors", names))
    assert {key: each.kind for key, each in opened.entries.items()} == {
        "model.0.weight": Kind.WEIGHT,
        "bn.running_var": Kind.MOVING_STATISTIC,
        "bn.num_batches_tracked": Kind.COUNTER,
    }


def test_metadata_are_no_tensor(tmp_path: Path) -> None:
    header = header_of(ONES) | {"__metadata__": {"format": "pt"}}
    assert set(open_checkpoint(write(tmp_path / "m.safetensors", ONES, header)).entries) == {
        "w",
        "b",
    }


def test_shards_are_one_checkpoint(tmp_path: Path) -> None:
    index = write_shards(tmp_path, [{"w": ONES["w"]}, {"b": ONES["b"]}])
    shard = tmp_path / "model-00002-of-00002.safetensors"
    for path in (index, shard, tmp_path):
        opened = open_checkpoint(path)
        assert (opened.path, opened.format) == (index, "safetensors with an index")
        assert {key: each.tolist() for key, each in held(opened).items()} == {
            key: each.tolist() for key, each in ONES.items()
        }
    assert fsck(tmp_path).exit_code() == 0


def forged(**changes: Any) -> dict[str, Any]:
    """Return the header of `ONES` with changes of `b`, which lies last."""
    header = header_of(ONES)
    return header | {"b": header["b"] | changes}


FORGED: dict[str, tuple[Any, str]] = {
    "no object": ([1], "the header is cut off or corrupt: its length is said to be 3 bytes"),
    "a gap": (forged(data_offsets=[28, 40]), "its place leaves a gap of 4 bytes"),
    "an overlap": (forged(data_offsets=[20, 32]), "its place overlaps the one before"),
    "beyond the end": (
        forged(shape=[4], data_offsets=[24, 40]),
        "the file ends at byte 172, but 16 bytes are expected at byte 160",
    ),
    "too large a place": (
        forged(data_offsets=[24, 40]),
        "F32[3] takes 12 bytes, but has a place of 16",
    ),
    "a negative size": (forged(shape=[-3]), "its shape or its place are no sizes"),
    "three offsets": (forged(data_offsets=[1, 2, 3]), "its shape or its place are no sizes"),
    "no type": (forged(dtype=3), "it has no type"),
    "no description": (header_of(ONES) | {"b": 3}, "its shape or its place are no sizes"),
}


@pytest.mark.parametrize(("header", "what"), FORGED.values(), ids=FORGED)
def test_a_forged_header_is_refused(header: Any, what: str, tmp_path: Path) -> None:
    file = write(tmp_path / "m.safetensors", ONES, header)
    with pytest.raises(DamagedError) as raised:
        open_checkpoint(file)
    assert raised.value.what == what


@pytest.mark.parametrize("notes", [3, [], {"a": 1}, {"a": float("nan")}])
def test_metadata_that_are_no_text(notes: Any, tmp_path: Path) -> None:
    file = write(tmp_path / "m.safetensors", ONES, header_of(ONES) | {"__metadata__": notes})
    with pytest.raises(DamagedError, match="__metadata__ holds more than text"):
        open_checkpoint(file)


def test_an_unknown_type_is_not_supported(tmp_path: Path) -> None:
    file = write(tmp_path / "m.safetensors", ONES, forged(dtype="F4"))
    with pytest.raises(NotReadableError) as raised:
        open_checkpoint(file)
    assert str(raised.value) == f"{file}, tensor b: its type F4 is unknown."
    assert fsck(file).exit_code() == 3


def test_a_name_that_is_there_twice(tmp_path: Path) -> None:
    file = write(tmp_path / "m.safetensors", ONES)
    content = file.read_bytes()
    file.write_bytes(content.replace(b'"b"', b'"w"'))
    with pytest.raises(DamagedError, match="the JSON is corrupt: a name is there twice"):
        open_checkpoint(file)


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "m.safetensors", ONES)
    whole = file.read_bytes()
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        with pytest.raises(DamagedError):
            open_checkpoint(file)
        assert fsck(file).exit_code() == 1


def test_bytes_after_the_last_tensor(tmp_path: Path) -> None:
    file = write(tmp_path / "m.safetensors", ONES)
    with file.open("ab") as opened:
        opened.write(b"12345")
    (finding,) = fsck(file).findings
    assert finding.grade == "wrong"
    assert finding.what == "5 bytes after the last tensor, which the library refuses"


def test_that_nothing_is_compared_is_said(tmp_path: Path) -> None:
    assert fsck(write(tmp_path / "m.safetensors", ONES)).notes == (
        "safetensors has no checksums: damaged values in 1 file go undetected, unless each save is "
        "sealed: `ckptcheck seal`.",
    )


def test_a_shard_that_is_missing(tmp_path: Path) -> None:
    index = write_shards(tmp_path, [{"w": ONES["w"]}, {"b": ONES["b"]}])
    (tmp_path / "model-00001-of-00002.safetensors").unlink()
    (finding,) = fsck(index).findings
    assert finding.what == "A data file is missing, with 1 tensor"
    assert finding.effect == "a restore raises"


def test_shards_without_their_index(tmp_path: Path) -> None:
    write_shards(tmp_path, [{"w": ONES["w"]}, {"b": ONES["b"]}]).unlink()
    (finding,) = fsck(tmp_path).findings
    assert finding.remedy == (
        "copy model.safetensors.index.json too: without it, the data cannot be read"
    )


INDEXES: dict[str, tuple[Any, str]] = {
    "no map": ({"metadata": {}}, "the index has no weight_map"),
    "a path": ({"weight_map": {"w": "../m.safetensors"}}, "the index names no file of its folder"),
    "no name": ({"weight_map": {"w": "x\0y"}}, "the index names no file of its folder"),
    "a long name": ({"weight_map": {"w": "x" * 5000}}, "the index names no file of its folder"),
    "half a character": (
        {"weight_map": {"w": "\ud800"}},
        "the index names no file of its folder",
    ),
    "another file": (
        {"weight_map": {"w": "model-00002-of-00002.safetensors"}},
        "the index says that model-00002-of-00002.safetensors holds the tensor, which it does not",
    ),
    "a tensor less": (
        {"weight_map": {"b": "model-00002-of-00002.safetensors"}},
        "",
    ),
}


@pytest.mark.parametrize(("document", "what"), INDEXES.values(), ids=INDEXES)
def test_an_index_that_is_wrong(document: Any, what: str, tmp_path: Path) -> None:
    index = write_shards(tmp_path, [{"w": ONES["w"]}, {"b": ONES["b"]}])
    index.write_text(json.dumps(document))
    if not what:  # the other shard is no file of this checkpoint
        (finding,) = fsck(index).findings
        assert finding.what == "1 data file of this prefix not listed in its index"
        return
    with pytest.raises(DamagedError) as raised:
        open_checkpoint(index)
    assert raised.value.what == what


@pytest.mark.torch
def test_what_the_library_writes(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy")
    values = {"w": np.arange(6.0).reshape(2, 3), "n": np.array(3)}
    library.save_file(values, tmp_path / "m.safetensors", {"format": "pt"})
    found = held(open_checkpoint(tmp_path / "m.safetensors"))
    assert {key: each.tolist() for key, each in found.items()} == {
        key: each.tolist() for key, each in values.items()
    }
