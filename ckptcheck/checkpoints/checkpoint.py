"""What a checkpoint is, whatever its format: tensors by key, each in pieces that are read one chunk at a time."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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

# NumPy's, TensorFlow's are wider: 254 dimensions, and any number of elements where one dimension is 0.
_MOST_DIMENSIONS, _MOST_ELEMENTS = 64, 1 << 58


@dataclass(frozen=True)
class Piece:
    """A part of a tensor that is stored in one place: `start` and `shape` say which part, by dimension."""

    start: tuple[int, ...]
    shape: tuple[int, ...]
    file: Path
    offset: int | None  # None: the format keeps it elsewhere
    size: int  # in bytes
    checksum: int | None = None  # the masked CRC32C of its value


@dataclass(frozen=True)
class Entry:
    """A tensor of a checkpoint: everything but its value."""

    key: str  # what the file calls it
    name: str  # what to call it: the attribute path that leads to it, or the variable's name
    kind: Kind
    type: str  # the element type's name
    dtype: (
        np.dtype[Any] | None
    )  # in the byte order of the file; None: elements have no fixed size, as text
    shape: tuple[int, ...]
    pieces: tuple[Piece, ...]

    @property
    def elements(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """The number of bytes that the value has in the checkpoint."""
        return sum(piece.size for piece in self.pieces)

    @property
    def cut(self) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
        """How it is cut into pieces: where each begins, and how large it is."""
        return tuple((piece.start, piece.shape) for piece in self.pieces)

    @property
    def rows(self) -> tuple[Piece, ...] | None:
        """The pieces in the order of the elements, where each is a row of them; None: some are not, as of a grid."""
        if len(self.pieces) == 1:
            return self.pieces
        are_rows = all(_is_row(piece, self.shape) for piece in self.pieces)
        return tuple(sorted(self.pieces, key=attrgetter("start"))) if are_rows else None

    @property
    def shown(self) -> str:
        """The name as it can be printed."""
        return shown(self.name)


def _is_row(piece: Piece, shape: tuple[int, ...]) -> bool:
    """Return whether a piece has all elements from its first to its last one."""
    cut = next((axis for axis, size in enumerate(piece.shape) if size != 1), len(shape))
    return piece.shape[cut + 1 :] == shape[cut + 1 :]


@dataclass(frozen=True)
class Checkpoint(ABC):
    """A checkpoint that is open: its tensors in the order of their keys.

    What reads a value raises DamagedError where a file is missing, too short, or does not have its checksum.
    """

    path: Path  # the prefix or the file
    format: str  # what it is, in words
    files: tuple[Path, ...]
    entries: Mapping[str, Entry]
    chosen: str = ""  # how it was found where a folder was given
    promised: tuple[
        str, ...
    ] = ()  # keys of variables that its object graph names and that it does not hold
    graph: Entry | None = None  # of that graph, which is no tensor of the program
    by_variables_name: bool = (
        False  # a restore asks for variables by their names, for nothing else is known of them
    )

    @property
    def size(self) -> int:
        """The number of bytes that all values have."""
        return sum(entry.bytes for entry in self.entries.values())

    @abstractmethod
    def chunks(self, entry: Entry, piece: Piece, *, verify: bool = True) -> Iterator[Bytes]:
        """Yield a piece's bytes as they are stored, in parts of whole elements, each overwritten by the next.

        With `verify` the checksum is compared, behind the last part; what came before is to be trusted only then.
        """

    @abstractmethod
    def must_hold(self, entry: Entry) -> None:
        """Refuse a tensor that its files do not have, so that no room is made for what is not there."""

    @abstractmethod
    def texts(self, entry: Entry) -> list[bytes]:
        """Return the elements of a tensor that has no `dtype`, in one row."""

    def arrays(self, entry: Entry, piece: Piece) -> Iterator[Array]:
        """Yield a piece's elements in rows, each overwritten by the next."""
        assert entry.dtype is not None
        for chunk in self.chunks(entry, piece):
            yield chunk.view(entry.dtype)

    def flat(self, entry: Entry) -> Iterator[Array]:
        """Yield a tensor's elements in rows, in their order, each overwritten by the next; one that is a grid as a whole."""
        if entry.rows is None:
            yield self.value(entry).reshape(-1)
        for piece in entry.rows or ():
            yield from self.arrays(entry, piece)

    def value(self, entry: Entry) -> Array:
        """Return the whole value, in this machine's byte order; of text an array of `bytes`."""
        self.must_hold(entry)
        file = entry.pieces[0].file
        if (
            len(entry.shape) > _MOST_DIMENSIONS
            or prod(size or 1 for size in entry.shape) > _MOST_ELEMENTS
        ):
            raise NotReadableError(
                f"NumPy has no arrays of shape {list(entry.shape)}", file, tensor=entry.key
            )
        if entry.dtype is None:
            texts = np.empty(entry.elements, object)
            texts[:] = self.texts(entry)
            return texts.reshape(entry.shape)
        try:
            whole = np.empty(entry.shape, entry.dtype.newbyteorder("="))
        except MemoryError:
            raise NotReadableError(
                f"its {entry.bytes:,} bytes do not fit memory", file, tensor=entry.key
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
