"""Snapshots: every live state tensor by name at one point of a run, and their files."""

import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ckptcheck.arrays import dtype_of
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind

Snapshot = Mapping[str, Tensor]

# The points of every run, beside its boundaries.
INITIAL, FINAL = "initial", "final"


def boundary_point(boundary: int) -> str:
    """Return the name of the snapshot right before step `boundary`, at a save."""
    return f"boundary-{boundary}"


def after_point(boundary: int) -> str:
    """Return the name of the snapshot right after step `boundary`."""
    return f"after-{boundary}"


def next_point(boundary: int) -> str:
    """Return the name of the point right before the step after step `boundary`."""
    return f"next-{boundary}"


def save_point(done: int) -> str:
    """Return the name of the point right before the step after a save."""
    return f"save-{done}"


def outside_of(point: str) -> str:
    """Return the name of the snapshot of what a program kept outside of its framework then."""
    return f"outside-{point}"


def began_at(point: str, skipped: int) -> str:
    """Return the name of a snapshot of a run that began after `skipped` steps of its process."""
    return f"{point}~{skipped}" if skipped else point


def as_tensors(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return a state with plain arrays wrapped as tensors of kind `OTHER`."""
    return {
        name: value if isinstance(value, Tensor) else Tensor(Kind.OTHER, np.array(value))
        for name, value in state.items()
    }


class StoredSnapshots(Mapping[str, Snapshot]):
    """The snapshots in a run's folder by point, each read on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, Snapshot] = {}

    def __getitem__(self, point: str) -> Snapshot:
        if point not in self._read:
            self._read[point] = read_snapshot(self._path(point))
        return self._read[point]

    def __contains__(self, point: object) -> bool:
        return self._path(str(point)).exists()

    def __iter__(self) -> Iterator[str]:
        return (path.stem for path in sorted(self._folder.glob("*.npz")))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _path(self, point: str) -> Path:
        return self._folder / f"{point}.npz"


def write_snapshot(path: Path, state: Snapshot) -> None:
    """Write a snapshot as raw bytes with a manifest, which preserves every dtype.

    Raises:
        TypeError: A tensor cannot be compared by its bytes: its elements have no fixed size, are
            structured, padded or masked.
    """
    for name, tensor in state.items():
        dtype = tensor.value.dtype
        if not isinstance(name, str):
            raise TypeError(f"the name {name!r} of a state tensor is not a string")
        if (
            dtype.hasobject
            or dtype.names
            or dtype.char in "gG"
            or isinstance(tensor.value, np.ma.MaskedArray)
        ):
            raise TypeError(
                f"the state tensor {name!r} has dtype {dtype}, which cannot be recorded"
            )
    manifest = [
        {
            "name": name,
            "kind": tensor.kind.value,
            "dtype": _dtype_name(tensor.value.dtype),
            "shape": tensor.value.shape,
        }
        for name, tensor in state.items()
    ]
    raw = {
        str(index): np.frombuffer(np.ascontiguousarray(tensor.value).tobytes(), dtype=np.uint8)
        for index, tensor in enumerate(state.values())
    }
    np.savez(path, allow_pickle=False, manifest=np.array(json.dumps(manifest)), **raw)


def read_snapshot(path: Path) -> Snapshot:
    """Read a snapshot that `write_snapshot` wrote."""
    with np.load(path, allow_pickle=False) as file:
        manifest = json.loads(str(file["manifest"]))
    with zipfile.ZipFile(path) as archive:
        return {
            entry["name"]: _tensor(entry, archive.read(f"{index}.npy"))
            for index, entry in enumerate(manifest)
        }


def _tensor(entry: dict[str, Any], stored: bytes) -> Tensor:
    """Return a tensor from the bytes at the end of its file; NumPy is slow to read the header."""
    dtype, shape = dtype_of(entry["dtype"]), tuple(entry["shape"])
    size = dtype.itemsize * math.prod(shape)
    value = np.frombuffer(stored, np.uint8, size, len(stored) - size).view(dtype).reshape(shape)
    return Tensor(Kind(entry["kind"]), value)


def _dtype_name(dtype: np.dtype[Any]) -> str:
    # `str` shows byte order and length, but calls bfloat16 and the float8 types V2 and V1.
    return dtype.name if dtype.kind == "V" and dtype.type is not np.void else dtype.str
