"""Write files of safetensors as its page describes them, for tests; also forged ones."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

NAMES: dict[np.dtype[Any], str] = {
    np.dtype(kind): name
    for name, kind in {
        **{f"F{8 * size}": f"f{size}" for size in (2, 4, 8)},
        **{f"I{8 * size}": f"i{size}" for size in (1, 2, 4, 8)},
        **{f"U{8 * size}": f"u{size}" for size in (1, 2, 4, 8)},
        "BOOL": "?",
        "C64": "c8",
        "BF16": ml_dtypes.bfloat16,
        "F8_E4M3": ml_dtypes.float8_e4m3fn,
        "F8_E5M2": ml_dtypes.float8_e5m2,
    }.items()
}


def header_of(tensors: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    """Return the header of some tensors, one after another."""
    header, at = {}, 0
    for name, value in tensors.items():
        place = [at, at + value.nbytes]
        at = place[1]
        header[name] = {"dtype": NAMES[value.dtype], "shape": value.shape, "data_offsets": place}
    return header


def write(path: Path, tensors: Mapping[str, np.ndarray[Any, Any]], header: Any = None) -> Path:
    """Write a file, with a header of its own or with a forged one."""
    text = json.dumps(header_of(tensors) if header is None else header).encode()
    content = b"".join(value.tobytes() for value in tensors.values())
    path.write_bytes(len(text).to_bytes(8, "little") + text + content)
    return path


def write_shards(folder: Path, shards: Sequence[Mapping[str, np.ndarray[Any, Any]]]) -> Path:
    """Write shards with their index, and return the index."""
    named: dict[str, str] = {}
    for number, tensors in enumerate(shards, start=1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        write(folder / name, tensors)
        named |= dict.fromkeys(tensors, name)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": named}))
    return index
