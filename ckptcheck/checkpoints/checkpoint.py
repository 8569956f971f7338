"""A checkpoint of any format: tensors by key, stored in pieces that are read chunk by chunk."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import prod
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from ckptcheck.arrays import Array
from ckptcheck.checkpoints.errors import NotReadableError
from ckptcheck.checkpoints.reader import Bytes
from ckptcheck.kinds import Kind
from ckptcheck.text_safety import shown

# NumPy's limits. TensorFlow's are wider: 254 dimensions, any number of elements if one size is 0.
_MOST_DIMENSIONS, _MOST_ELEMENTS = 64, 1 << 58


@dataclass(frozen=True)
class Piece:
    """A contiguously stored part of a tensor; `start` and `shape` locate it, by dimension."""

    start: tuple[int, ...]
    shape: tuple[int, ...]
    file: Path
    offset: int | None  # None: only the format's own reader can locate the bytes
    size: int  # in bytes
    checksum: int | None = None  # masked CRC32C of the value


@dataclass(frozen=True)
class Entry:
    """A tensor of a checkpoint, without its value."""

    key: str  # the name in the file
    name: str  # the name for readers: an attribute path or the variable's name
    kind: Kind
    type: str  # name of the element type
    # In the file's byte order. None: elements have no fixed size, for example text.
    dtype: np.dtype[Any] | None
    shape: tuple[int, ...]
    pieces: tuple[Piece, ...]

    @property
    def elements(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """The number of bytes that the value takes in the checkpoint."""
        return sum(piece.size for piece in self.pieces)

    @property
    def cut(self) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
        """The partition into pieces: start and shape of each."""
        return tuple((piece.start, piece.shape) for piece in self.pieces)

    @property
    def rows(self) -> tuple[Piece, ...] | None:
        """The pieces in element order, if each is a contiguous run of elements; else None."""
        if len(self.pieces) == 1:
            return self.pieces
        are_rows = all(_is_row(piece, self.shape) for piece in self.pieces)
        return tuple(sorted(self.pieces, key=attrgetter("start"))) if are_rows else None

    @property
    def shown(self) -> str:
        """The name, escaped for printing."""
        return shown(self.name)


def _is_row(piece: Piece, shape: tuple[int, ...]) -> bool:
    """Return whether a piece is a contiguous run of the tensor's elements."""
    cut = next((axis for axis, size in enumerate(piece.shape) if size != 1), len(shape))
    return piece.shape[cut + 1 :] == shape[cut + 1 :]


@dataclass(frozen=True)
class Checkpoint(ABC):
    """An open checkpoint; `entries` are sorted by key.

    Every method that reads a value raises DamagedError if a file is missing or truncated, or if a
    checksum does not match.
    """

    path: Path  # the prefix or the file
    format: str  # the format's name for readers
    files: tuple[Path, ...]
    entries: Mapping[str, Entry] = field(repr=False)  # there may be thousands
    chosen: str = ""  # why a folder resolved to this checkpoint
    promised: tuple[str, ...] = ()  # variable keys in the object graph that have no entry
    graph: Entry | None = None  # the object graph, which is not a tensor of the program
    by_variables_name: bool = False  # restores match variables by name: there is no object graph

    def __getitem__(self, name: str) -> Array:
        """Return the value of a tensor by its name or key, as `value` does; raise KeyError."""
        entry = self.entries.get(name) or next(
            (each for each in self.entries.values() if each.name == name), None
        )
        if entry is None:
            near = get_close_matches(name, [each.name for each in self.entries.values()], 1)
            raise KeyError(f"{name}: no such tensor" + (f"; similar: {near[0]}" if near else ""))
        return self.value(entry)

    @property
    def size(self) -> int:
        """The total number of bytes of all values."""
        return sum(entry.bytes for entry in self.entries.values())

    @abstractmethod
    def chunks(self, entry: Entry, piece: Piece, *, verify: bool = True) -> Iterator[Bytes]:
        """Yield a piece's stored bytes in chunks of whole elements; each overwrites the one before.

        With `verify`, compare the checksum after the last chunk: trust no chunk before that.
        """

    @abstractmethod
    def must_hold(self, entry: Entry) -> None:
        """Raise if the files are too short for a tensor, before any memory is allocated for it."""

    @abstractmethod
    def texts(self, entry: Entry) -> list[bytes]:
        """Return the elements of a tensor without a `dtype`, flattened."""

    def is_tensor(self, entry: Entry) -> bool:
        """Return whether an entry is a tensor, and no number or text of a program."""
        return True

    def arrays(self, entry: Entry, piece: Piece) -> Iterator[Array]:
        """Yield a piece's elements in flat chunks; each chunk overwrites the one before."""
        assert entry.dtype is not None
        for chunk in self.chunks(entry, piece):
            yield chunk.view(entry.dtype)

    def flat(self, entry: Entry) -> Iterator[Array]:
        """Yield a tensor's elements in order, as `arrays` does; a tensor cut into a grid, whole."""
        if entry.rows is None:
            yield self.value(entry).reshape(-1)
        for piece in entry.rows or ():
            yield from self.arrays(entry, piece)

    def value(self, entry: Entry) -> Array:
        """Return the whole value in native byte order; text is an object array of `bytes`."""
        self.must_hold(entry)
        file = entry.pieces[0].file
        if (
            len(entry.shape) > _MOST_DIMENSIONS
            or prod(size or 1 for size in entry.shape) > _MOST_ELEMENTS
        ):
            raise NotReadableError(
                f"shape {list(entry.shape)} exceeds NumPy's limits", file, tensor=entry.key
            )
        if entry.dtype is None:
            texts = np.empty(entry.elements, object)
            texts[:] = self.texts(entry)
            return texts.reshape(entry.shape)
        try:
            whole = np.empty(entry.shape, entry.dtype.newbyteorder("="))
        except MemoryError:
            raise NotReadableError(
                f"the tensor's {entry.bytes:,} bytes do not fit in memory", file, tensor=entry.key
            ) from None
        for piece in entry.pieces:
            flat, at = np.empty(prod(piece.shape), entry.dtype), 0
            for part in self.arrays(entry, piece):
                flat[at : at + len(part)] = part
                at += len(part)
            where = tuple(
                slice(start, start + size)
                for start, size in zip(piece.start, piece.shape, strict=True)
            )
            whole[where] = flat.reshape(piece.shape)
        return whole
