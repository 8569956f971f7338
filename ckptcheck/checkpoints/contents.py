"""What the files of a folder hold as arrays: checkpoints of any format, and files of NumPy's."""

import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from ckptcheck.arrays import Array
from ckptcheck.checkpoints.find import checkpoints_in
from ckptcheck.checkpoints.format import Location
from ckptcheck.checkpoints.safetensors.format import SAFETENSORS
from ckptcheck.checkpoints.state_file import is_state_file
from ckptcheck.checkpoints.torch_zip.format import TORCH_ZIP, is_torch
from ckptcheck.kinds import Kind, by_name

# What batch norm counts.
_TRACKED = "num_batches_tracked"
# The files of NumPy's that a program may save its state into.
ARRAYS = (".npz", ".npy")
# What NumPy and zipfile raise for a damaged file, besides ValueError: a header is read as Python.
_DAMAGED = (
    EOFError,
    KeyError,
    NotImplementedError,
    SyntaxError,
    TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Named:
    """An array of a file. `is_number`: it was saved as a plain number, not as an array."""

    name: str
    kind: Kind
    value: Array
    is_number: bool = False


def of_checkpoint(location: Location) -> tuple[list[Named], tuple[Path, ...]]:
    """Return the tensors of a checkpoint that have elements of fixed size, and its files.

    Raises:
        DamagedError: it cannot be read.
    """
    checkpoint = location.open()
    entries = [entry for entry in checkpoint.entries.values() if entry.dtype is not None]
    named = [
        Named(entry.name, entry.kind, checkpoint.value(entry), not checkpoint.is_tensor(entry))
        for entry in entries
    ]
    return named, checkpoint.files


def of_folder(files: Sequence[Path]) -> Iterator[Named]:
    """Yield every array in some files, each of which must hold arrays or numbers.

    Raises:
        DamagedError: a checkpoint cannot be read.
        ValueError: a file has an unknown format.
    """
    read: set[Path] = set()
    for folder in sorted({file.parent for file in files}):
        for location in checkpoints_in(folder):
            named, own = of_checkpoint(location)
            read.update(own)
            yield from named
    for file in files:
        if file not in read and not is_state_file(file):
            yield from of_file(file)


def holds_arrays(file: Path) -> bool:
    """Return whether a program may have saved arrays into a file: NumPy's, or PyTorch's."""
    return file.suffix in ARRAYS or _of_torch(file) is not None


def _of_torch(file: Path) -> Location | None:
    """Return the checkpoint that a file is by itself; of a shard, not that of all."""
    if is_torch(file):
        return Location(file, TORCH_ZIP)
    return Location(file, SAFETENSORS) if file.suffix == ".safetensors" else None


def tensors_and_counts(file: Path) -> tuple[list[Named], dict[str, float]]:
    """Return the tensors in a file that holds arrays, and what PyTorch's count of its training.

    A program's own numbers, such as times, and the states of generators are no tensors. What batch
    norm counts is no count: the best weights of two runs are of different steps.

    Raises:
        DamagedError: a file of PyTorch's cannot be read.
        ValueError: one of NumPy's cannot.
    """
    location = _of_torch(file)
    if location is None:
        return list(of_file(file)), {}
    checkpoint = location.open()
    tensors, counts = [], {}
    for entry in checkpoint.entries.values():
        is_single = entry.dtype is not None and not entry.shape
        if is_single and entry.kind is Kind.COUNTER and not entry.name.endswith(_TRACKED):
            counts[entry.name] = float(checkpoint.value(entry))
        elif checkpoint.is_tensor(entry) and entry.dtype != np.uint8:
            tensors.append(Named(entry.name, entry.kind, checkpoint.value(entry)))
    return tensors, counts


def of_file(file: Path) -> Iterator[Named]:
    """Yield the arrays of a file of NumPy's, or the numbers of a JSON document.

    Raises:
        ValueError: the file is neither, or it is damaged.
    """
    try:
        for name, value in _contents(file):
            kind = by_name(name, value.dtype.kind, value.size == 1)
            yield Named(name, kind, value, file.suffix == ".json" and not value.shape)
    except _DAMAGED as error:
        raise ValueError(f"{file} is damaged: {error}") from error


def _contents(file: Path) -> Iterator[tuple[str, Array]]:
    if file.suffix == ".npz":
        # Opened here: NumPy leaves a damaged archive open.
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            yield from arrays.items()
    elif file.suffix == ".npy":
        yield file.stem, np.load(file, allow_pickle=False)
    elif file.suffix == ".json":
        yield from _numbers(file.stem, json.loads(file.read_text(encoding="utf-8")))
    else:
        raise ValueError(f"{file} has an unknown format")


def _numbers(name: str, document: Any) -> Iterator[tuple[str, Array]]:
    """Yield every number in a JSON document, and every list of numbers as an array."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield from _numbers(key, value)
    elif isinstance(document, int | float | list):
        value = np.asarray(document)  # ValueError: a ragged list
        if value.dtype.kind not in "biuf":
            raise ValueError(f"{name} holds more than numbers")
        yield name, value
