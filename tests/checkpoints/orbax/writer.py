"""Write folders as Orbax does, through tensorstore alone, for tests."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore

from ckptcheck.arrays import Array

Tree = Mapping[str, Array | str | None]

# How Orbax may store a tree.
WAYS: dict[str, dict[str, bool]] = {
    "OCDBT": {},
    "OCDBT of zarr3": {"is_zarr3": True},
    "zarr": {"is_ocdbt": False},
    "zarr3": {"is_ocdbt": False, "is_zarr3": True},
}
HANDLER = "orbax.checkpoint._src.handlers.standard_checkpoint_handler.StandardCheckpointHandler"
JSON_HANDLER = "orbax.checkpoint._src.handlers.json_checkpoint_handler.JsonCheckpointHandler"


def item(
    folder: Path,
    tree: Tree,
    *,
    is_ocdbt: bool = True,
    is_zarr3: bool = False,
    chunk: int | None = None,
) -> Path:
    """Write one tree: arrays, texts, and None for an empty dictionary; return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    texts: dict[str, str] = {}
    for path, value in tree.items():
        if isinstance(value, str):
            texts[_stored(path)] = value
        elif value is not None:
            _array(folder, _stored(path), value, is_ocdbt, is_zarr3, chunk)
    if texts:
        (folder / "_strings.json").write_text(json.dumps(texts))
    document = {
        "tree_metadata": {
            str(tuple(path.split("/"))): _leaf(path, each) for path, each in tree.items()
        },
        "use_ocdbt": is_ocdbt,
        "use_zarr3": is_zarr3,
        "store_array_data_equal_to_fill_value": True,
        "custom_metadata": None,
    }
    (folder / "_METADATA").write_text(json.dumps(document))
    return folder


def step(folder: Path, trees: Mapping[str, Tree], texts: Mapping[str, Any] | None = None) -> Path:
    """Write a step with items: trees, and JSON documents; return its folder."""
    for name, tree in trees.items():
        item(folder / name, tree)
    for name, document in (texts or {}).items():
        (folder / name).mkdir()
        (folder / name / "metadata").write_text(json.dumps(document))
    handlers = dict.fromkeys(trees, HANDLER) | dict.fromkeys(texts or {}, JSON_HANDLER)
    (folder / "_CHECKPOINT_METADATA").write_text(json.dumps({"item_handlers": handlers}))
    (folder / "commit_success.txt").write_text(f"Checkpoint commit was successful to {folder}")
    return folder


def root(folder: Path, *numbers: int) -> Path:
    """Write what a CheckpointManager keeps: some steps; return the folder."""
    for number in numbers:
        step(folder / str(number), {"default": {"w": np.full(3, number, "float32")}})
    return folder


def _stored(path: str) -> str:
    return path.replace("/", ".")


def _leaf(path: str, value: Any) -> dict[str, Any]:
    types = {str: "string", type(None): "Dict"}
    stored = {"value_type": types.get(type(value), "jax.Array"), "skip_deserialize": value is None}
    return {
        "key_metadata": [{"key": key, "key_type": 2} for key in path.split("/")],
        "value_metadata": stored,
    }


def _array(
    folder: Path, name: str, value: Array, is_ocdbt: bool, is_zarr3: bool, chunk: int | None
) -> None:
    files: dict[str, Any] = {"driver": "file", "path": f"{folder}/"}
    if is_ocdbt:
        store = {"driver": "ocdbt", "base": files, "path": f"{name}/"}
    else:
        store = {"driver": "file", "path": f"{folder}/{name}/"}
    chunks = [min(size, chunk) if chunk else max(size, 1) for size in value.shape]
    described: dict[str, Any] = {"shape": value.shape}
    if is_zarr3:
        described["chunk_grid"] = {"name": "regular", "configuration": {"chunk_shape": chunks}}
    else:
        described |= {"chunks": chunks, "compressor": {"id": "zstd", "level": 1}}
    spec = {
        "driver": "zarr3" if is_zarr3 else "zarr",
        "kvstore": store,
        "metadata": described,
        "dtype": value.dtype.name,
        "store_data_equal_to_fill_value": True,
    }
    tensorstore.open(spec, create=True).result().write(value).result()
