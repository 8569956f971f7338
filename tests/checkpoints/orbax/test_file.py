"""Orbax folders: every type and way to store, kinds, and files that are damaged or forged."""

import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from ckptcheck.arrays import Array
from ckptcheck.checkpoints import DamagedError, open_checkpoint
from ckptcheck.checkpoints.errors import NotReadableError
from ckptcheck.checkpoints.orbax import file, layout
from ckptcheck.filetools.fsck import fsck
from ckptcheck.kinds import Kind

from .writer import WAYS, item, step

TYPES = [
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
    *("bfloat16", "int4", "float8_e4m3fn", "float8_e5m2", "float8_e4m3b11fnuz"),
    *("float8_e4m3fnuz", "float8_e5m2fnuz"),
]
TREE: dict[str, Array | str | None] = {
    "params/w": np.arange(1200, dtype="float32").reshape(30, 40),
    "params/b": np.ones(3, "float32"),
    "step": np.array(3),
    "name": "run",
    "empty": None,
}


def values(path: Path) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    opened = open_checkpoint(path)
    return {
        key: (each.type, each.shape, opened.value(each).tobytes())
        for key, each in opened.entries.items()
        if each.dtype is not None
    }


def refusal(path: Path) -> str:
    """Read a checkpoint that must be refused, with little memory; return the refusal."""
    tracemalloc.start()
    try:
        with pytest.raises(DamagedError) as caught:
            values(path)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()
    return str(caught.value).replace(str(path), "P")


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize("way", WAYS)
def test_every_type(way: str, tmp_path: Path) -> None:
    raw = np.random.default_rng(0).integers(0, 2, 15)
    tree = {}
    for name in TYPES:
        dtype = np.dtype(getattr(ml_dtypes, name, None) or name)
        tree[f"many/{name}"] = raw.astype(dtype).reshape(3, 5)
        tree[f"one/{name}"] = raw[0].astype(dtype).reshape(())
    expected = {key: (each.dtype.name, each.shape, each.tobytes()) for key, each in tree.items()}
    assert values(item(tmp_path / "saved", tree, **WAYS[way])) == expected


@pytest.mark.parametrize("way", WAYS)
def test_chunks_are_pieces(way: str, tmp_path: Path) -> None:
    value = np.arange(35.0).reshape(5, 7)
    opened = open_checkpoint(item(tmp_path / "saved", {"w": value}, chunk=3, **WAYS[way]))
    entry = opened.entries["w"]
    assert entry.cut == tuple(
        ((row, column), (min(3, 5 - row), min(3, 7 - column)))
        for row in (0, 3)
        for column in (0, 3, 6)
    )
    assert entry.bytes == value.nbytes
    np.testing.assert_array_equal(opened.value(entry), value)
    np.testing.assert_array_equal(np.concatenate(list(opened.flat(entry))), value.reshape(-1))


def test_text_is_shown_and_what_is_empty_is_not(tmp_path: Path) -> None:
    opened = open_checkpoint(item(tmp_path / "saved", TREE))
    assert list(opened.entries) == ["name", "params/b", "params/w", "step"]
    name = opened.entries["name"]
    assert (name.type, opened.texts(name), opened.is_tensor(name)) == ("string", [b"run"], False)
    assert opened.format == "Orbax (OCDBT)"


def test_items_of_a_step(tmp_path: Path) -> None:
    one = np.ones(2, "float32")
    saved = step(tmp_path / "5", {"state": {"w": one}, "ema": {"w": one}}, {"data": {"at": 7}})
    opened = open_checkpoint(saved)
    assert list(opened.entries) == ["data", "ema/w", "state/w"]
    assert opened.texts(opened.entries["data"]) == [b'{"at": 7}']
    assert list(open_checkpoint(saved / "ema").entries) == ["w"]


def test_a_sole_item_without_a_name_is_not_named(tmp_path: Path) -> None:
    saved = step(
        tmp_path / "5", {"default": {"w": np.ones(2), "metrics": np.ones(2)}}, {"metrics": 1}
    )
    assert list(open_checkpoint(saved).entries) == ["metrics", "metrics'", "w"]


def test_paths_that_are_alike(tmp_path: Path) -> None:
    saved = item(tmp_path / "saved", {"a/b": np.ones(2)})
    document = json.loads((saved / "_METADATA").read_text())
    document["tree_metadata"]["('a', 'b',)"] = document["tree_metadata"]["('a', 'b')"]
    (saved / "_METADATA").write_text(json.dumps(document))
    assert sorted(open_checkpoint(saved).entries) == ["('a', 'b',)", "a/b"]


def test_kinds(tmp_path: Path) -> None:
    one, count = np.ones(3, "float32"), np.array(3, "int32")
    expected = {
        "params/dense/kernel": (one, Kind.WEIGHT),
        "opt_state/0/mu/dense/kernel": (one, Kind.SLOT),
        "opt_state/0/nu/dense/kernel": (one.astype(ml_dtypes.bfloat16), Kind.SLOT),
        "opt_state/0/count": (count, Kind.COUNTER),
        "opt_state/hyperparams/learning_rate": (one[0], Kind.HYPERPARAMETER),
        "batch_stats/norm/mean": (one, Kind.MOVING_STATISTIC),
        "layers/1/mean/value": (one, Kind.MOVING_STATISTIC),
        "layers/1/scale/value": (one, Kind.WEIGHT),
        "ema_params/dense/kernel": (one, Kind.SHADOW),
        "rng": (np.arange(2, dtype="uint32"), Kind.RNG),
        "rngs/dropout/key": (np.arange(2, dtype="uint32"), Kind.RNG),
        "rngs/dropout/count": (count, Kind.COUNTER),
        "step": (count, Kind.COUNTER),
        "params/key/kernel": (one, Kind.WEIGHT),
    }
    tree = {path: np.asarray(value) for path, (value, _) in expected.items()}
    opened = open_checkpoint(item(tmp_path / "saved", tree))
    found = {path: each.kind for path, each in opened.entries.items()}
    assert found == {path: kind for path, (_, kind) in expected.items()}


def test_files_are_those_of_all_items_but_hidden_ones(tmp_path: Path) -> None:
    saved = item(tmp_path / "saved", {"w": np.ones(2)}, is_ocdbt=False)
    (saved / ".seal.json").touch()
    names = [each.relative_to(saved).as_posix() for each in open_checkpoint(saved).files]
    assert names == ["_METADATA", "w/.zarray", "w/0"]


def test_the_folder_of_another_process_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = item(tmp_path / "saved", TREE)
    monkeypatch.chdir(tmp_path)
    assert values(Path("saved")) == values(saved)


def test_without_tensorstore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = item(tmp_path / "saved", TREE)
    monkeypatch.setattr(file, "find_spec", lambda _: None)
    with pytest.raises(NotReadableError) as caught:
        open_checkpoint(saved)
    assert str(caught.value) == (
        f"{saved}: Orbax checkpoints are read through tensorstore, which is not installed; "
        "install it: pip install 'ckptcheck[orbax]'."
    )


def test_a_crash_of_tensorstore_stays_in_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved, child = item(tmp_path / "saved", TREE), tmp_path / "child.py"
    child.write_text("import os; os.abort()")
    monkeypatch.setattr(file, "CHILD", child)
    assert refusal(saved) == (
        "P: tensorstore crashed while reading (exit status -6): the file is corrupt."
    )
    child.write_text("import time; time.sleep(100)")
    monkeypatch.setattr(file, "PATIENCE", 0.2)
    assert refusal(saved) == (
        "P: tensorstore did not finish reading within 0.2 s: the file is corrupt."
    )


def test_nothing_is_written(tmp_path: Path) -> None:
    for way, how in WAYS.items():
        saved = item(tmp_path / way, TREE, **how)
        before = {each: each.stat().st_mtime_ns for each in saved.rglob("*")}
        values(saved)
        assert {each: each.stat().st_mtime_ns for each in saved.rglob("*")} == before


# --- Damage ---------------------------------------------------------------------------------------


def test_a_missing_chunk_is_no_zero(tmp_path: Path) -> None:
    saved = item(tmp_path / "saved", TREE, is_ocdbt=False)
    (saved / "params.b" / "0").unlink()
    assert refusal(saved) == (
        "P/params.b/0, tensor params/b: tensorstore cannot read the file: NOT_FOUND: "
        'chunk {0} stored at local file "P/params.b/0" is missing.'
    )
    change(saved / "_METADATA", store_array_data_equal_to_fill_value=False)
    assert values(saved)["params/b"] == ("float32", (3,), bytes(12))


def test_a_missing_array(tmp_path: Path) -> None:
    saved = item(tmp_path / "saved", TREE, is_ocdbt=False)
    (saved / "step" / ".zarray").unlink()
    assert refusal(saved) == (
        'P/step/.zarray, tensor step: tensorstore cannot open it: NOT_FOUND: Error opening "zarr" '
        'driver: Metadata at local file "P/step/.zarray" does not exist.'
    )


def test_missing_nodes(tmp_path: Path) -> None:
    saved = item(tmp_path / "saved", TREE)
    for each in (saved / "d").iterdir():
        each.unlink()
    told = refusal(saved)
    assert told.startswith("P/d/")
    assert "tensor params/w: tensorstore cannot open it: NOT_FOUND: " in told


def test_a_flipped_bit_of_a_node_is_found(tmp_path: Path) -> None:
    saved = item(tmp_path / "saved", TREE)
    manifest = saved / "manifest.ocdbt"
    content = bytearray(manifest.read_bytes())
    content[len(content) // 2] ^= 1
    manifest.write_bytes(content)
    assert refusal(saved).partition(": expected=")[0] == (
        "P/manifest.ocdbt, tensor params/w: tensorstore cannot open it: DATA_LOSS: "
        "Error decoding manifest: CRC-32C checksum verification failed"
    )


def test_a_truncated_chunk(tmp_path: Path) -> None:
    saved = item(tmp_path / "saved", TREE, is_ocdbt=False)
    os.truncate(saved / "params.w" / "0.0", 20)
    assert refusal(saved) == (
        "P/params.w/0.0, tensor params/w: tensorstore cannot read the file: "
        "Truncated Zstd-compressed stream; at byte 20; at uncompressed byte 0."
    )


def test_missing_text(tmp_path: Path) -> None:
    saved = item(tmp_path / "saved", TREE)
    (saved / "_strings.json").write_text('{"name": 3}')
    assert refusal(saved) == "P/_strings.json, tensor name: the text is missing."
    (saved / "_strings.json").unlink()
    assert refusal(saved) == "P/_strings.json: the file is missing."


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "the JSON is corrupt: Expecting value: line 1 column 1 (char 0)"),
        ("[" * 100_000, "the JSON is corrupt: "),
        ("[]", "there is no tree_metadata"),
        ('{"tree_metadata": []}', "there is no tree_metadata"),
    ],
)
def test_corrupt_metadata(content: str, told: str, tmp_path: Path) -> None:
    saved = item(tmp_path / "saved", TREE)
    (saved / "_METADATA").write_text(content)
    assert refusal(saved).startswith(f"P/_METADATA: {told}")


@pytest.mark.parametrize(
    "leaf",
    [
        None,
        {},
        {"key_metadata": [{"key": 3}], "value_metadata": {"value_type": "jax.Array"}},
        {"key_metadata": [3], "value_metadata": {"value_type": "jax.Array"}},
        {"key_metadata": [{"key": "w"}], "value_metadata": {"value_type": 3}},
        {"key_metadata": [{"key": "w"}], "value_metadata": []},
    ],
)
def test_a_leaf_of_the_wrong_types(leaf: Any, tmp_path: Path) -> None:
    saved = item(tmp_path / "saved", TREE)
    change(saved / "_METADATA", tree_metadata={"w": leaf})
    assert refusal(saved) == "P/_METADATA, tensor w: its path or its type is missing."


@pytest.mark.parametrize("key", ["/etc", "..", "../other", "a/../../b", "a//b", "", "a\0b"])
def test_a_name_that_leads_out_of_the_folder(key: str, tmp_path: Path) -> None:
    item(tmp_path / "other", TREE, is_ocdbt=False)
    saved = item(tmp_path / "saved", TREE, is_ocdbt=False)
    leaf = {"key_metadata": [{"key": key}], "value_metadata": {"value_type": "jax.Array"}}
    change(saved / "_METADATA", tree_metadata={"w": leaf})
    assert refusal(saved) == "P/_METADATA, tensor w: its name leads out of the folder."


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"shape": [1 << 40, 1 << 20]}, "cannot be in files of"),
        ({"shape": [1 << 40], "chunks": [1 << 40]}, "cannot be in files of"),
        (
            {"shape": [1 << 40], "chunks": [1]},
            "1,099,511,627,776 chunks cannot be in files of this size",
        ),
        ({"shape": [-1], "chunks": [1]}, "tensorstore cannot open it: "),
        ({"dtype": "|V7"}, "its type byte is not supported"),
        ({"shape": "x"}, "tensorstore cannot open it: "),
    ],
)
def test_a_forged_array_takes_no_memory(fields: dict[str, Any], told: str, tmp_path: Path) -> None:
    saved = item(tmp_path / "saved", {"w": np.ones((3, 3))}, is_ocdbt=False)
    if len(fields.get("shape", "xx")) == 1 or "chunks" in fields:
        fields = {"chunks": [1], **fields}
    change(saved / "w" / ".zarray", **fields)
    assert told in refusal(saved)


def test_a_chunk_that_unpacks_to_more_than_is_said(tmp_path: Path) -> None:
    saved = item(tmp_path / "saved", {"w": np.zeros(1 << 22, "uint8")}, is_ocdbt=False)
    change(saved / "w" / ".zarray", shape=[1 << 20], chunks=[1 << 20])
    assert "tensor w: tensorstore cannot read the file: End of data expected" in refusal(saved)


def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    saved = item(tmp_path / "saved", TREE, is_ocdbt=False)
    (saved / "params.b" / "0").unlink()
    os.mkfifo(saved / "params.b" / "0")
    assert refusal(saved) == "P/params.b/0: the file cannot be read: it is not a regular file."


def test_an_incomplete_step(tmp_path: Path) -> None:
    saved = step(tmp_path / "5", {"default": {"w": np.ones(2)}})
    (saved / "default" / "_METADATA").unlink()
    assert refusal(saved) == (
        "P: the step is incomplete: default/_METADATA is missing; "
        "restore an older step that is complete."
    )


def test_json_that_is_corrupt(tmp_path: Path) -> None:
    saved = step(tmp_path / "5", {"default": {"w": np.ones(2)}}, {"data": {}})
    (saved / "data" / layout.TEXTS[0]).write_text("{")
    assert refusal(saved).startswith("P/data/metadata: the JSON is corrupt: ")


def test_a_path_with_dots(tmp_path: Path) -> None:
    folder = item(tmp_path / "a" / "one", {"w": np.arange(3.0)})
    (tmp_path / "b").mkdir()
    checkpoint = open_checkpoint(tmp_path / "b" / ".." / "a" / "one")
    np.testing.assert_array_equal(checkpoint["w"], np.arange(3.0))
    assert fsck(tmp_path / "b" / ".." / "a").findings == ()
    assert folder.is_dir()
