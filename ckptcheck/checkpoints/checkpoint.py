"""What a checkpoint is, whatever its format: tensors by key, each in pieces that are read one chunk at a time."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
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
    """A part of a tensor that is stored in one place.

    `start` is where it begins in the tensor, `shape` how large it is, both by dimension; `file` holds it, `offset` is its
    first byte there (None: the format keeps it elsewhere), `size` its number of bytes, `checksum` the masked CRC32C of its
    value.
    """

    start: tuple[int, ...]
    shape: tuple[int, ...]
    file: Path
    offset: int | None
    size: int
    checksum: int | None = None


@dataclass(frozen=True)
class Entry:
    """A tensor of a checkpoint: everything but its value.

    `key` is what the file calls it, `name` what to call it: the attribute path that leads to it, or the variable's name.
    `type` is the element type's name, `dtype` NumPy's, with the byte order of the file (None: elements have no fixed size, as
    text).
    """

    key: str
    name: str
    kind: Kind
    type: str
    dtype: np.dtype[Any] | None
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
        firsts = [_row(piece, self.shape) for piece in self.pieces]
        if None in firsts:
            return None
        return tuple(
            piece for _, piece in sorted(zip(firsts, self.pieces, strict=True), key=lambda numbered: numbered[0] or 0)
        )

    @property
    def shown(self) -> str:
        """The name as it can be printed."""
        return shown(self.name)


def _row(piece: Piece, shape: tuple[int, ...]) -> int | None:
    """Return the number of a piece's first element, if it has all from there to its last one."""
    cut = next((axis for axis, size in enumerate(piece.shape) if size != 1), len(shape))
    if piece.shape[cut + 1 :] != shape[cut + 1 :]:
        return None
    first = 0
    for start, size in zip(piece.start, shape, strict=True):
        first = first * size + start
    return first


@dataclass(frozen=True)
class Checkpoint(ABC):
    """A checkpoint that is open: its tensors in the order of their keys.

    `path` is the prefix or the file, `format` says in words what it is, `files` what it is made of; `chosen` says how it was
    found where a folder was given; `promised` are keys of variables that its object graph names and that it does not hold;
    `graph` is the entry of that graph, which is no tensor of the program; `by_variables_name`: a restore asks for variables by
    their names alone, for nothing else is known of them.
    """

    path: Path
    format: str
    files: tuple[Path, ...]
    entries: Mapping[str, Entry]
    chosen: str = ""
    promised: tuple[str, ...] = ()
    graph: Entry | None = None
    by_variables_name: bool = False

    @property
    def size(self) -> int:
        """The number of bytes that all values have."""
        return sum(entry.bytes for entry in self.entries.values())

    @abstractmethod
    def chunks(self, entry: Entry, piece: Piece, *, verify: bool = True) -> Iterator[Bytes]:
        """Yield a piece's bytes as they are stored, in parts of whole elements, each overwritten by the next.

        Args:
            entry: the tensor.
            piece: one of its pieces.
            verify: whether to compare the checksum, behind the last part; what came before is to be trusted only then.

        Raises:
            DamagedError: the file is missing, too short, or does not have its checksum.
        """

    @abstractmethod
    def must_hold(self, entry: Entry) -> None:
        """Refuse a tensor that its files do not have, so that no room is made for what is not there.

        Raises:
            DamagedError: a file is missing, or too short.
        """

    @abstractmethod
    def texts(self, entry: Entry) -> list[bytes]:
        """Return the elements of a tensor that has no `dtype`, in one row.

        Raises:
            DamagedError: as of `chunks`.
        """

    def arrays(self, entry: Entry, piece: Piece) -> Iterator[Array]:
        """Yield a piece's elements in rows, each overwritten by the next.

        Raises:
            DamagedError: as of `chunks`.
        """
        assert entry.dtype is not None
        for chunk in self.chunks(entry, piece):
            yield chunk.view(entry.dtype)

    def flat(self, entry: Entry) -> Iterator[Array]:
        """Yield a tensor's elements in rows, in their order, each overwritten by the next.

        A tensor that is cut otherwise than by rows is read as a whole.

        Raises:
            DamagedError: as of `chunks`.
        """
        rows = entry.rows
        if rows is None:
            yield self.value(entry).reshape(-1)
            return
        for piece in rows:
            yield from self.arrays(entry, piece)

    def value(self, entry: Entry) -> Array:
        """Return the whole value, in this machine's byte order; of text an array of `bytes`.

        Raises:
            DamagedError: as of `chunks`, or it fits no array.
        """
        self.must_hold(entry)
        if len(entry.shape) > _MOST_DIMENSIONS or prod(size or 1 for size in entry.shape) > _MOST_ELEMENTS:
            file = entry.pieces[0].file if entry.pieces else self.path
            raise NotReadableError(f"NumPy has no arrays of shape {list(entry.shape)}", file, tensor=entry.key)
        if entry.dtype is None:
            texts = np.empty(entry.elements, object)
            texts[:] = self.texts(entry)
            return texts.reshape(entry.shape)
        try:
            whole = np.empty(entry.shape, entry.dtype.newbyteorder("="))
        except MemoryError:
            file = entry.pieces[0].file
            raise NotReadableError(f"its {entry.bytes:,} bytes do not fit memory", file, tensor=entry.key) from None
        for piece in entry.pieces:
            flat = np.empty(prod(piece.shape), entry.dtype)
            at = 0
            for part in self.arrays(entry, piece):
                flat[at : at + len(part)] = part
                at += len(part)
            where = tuple(slice(start, start + size) for start, size in zip(piece.start, piece.shape, strict=True))
            whole[where] = flat.reshape(piece.shape)
        return whole
