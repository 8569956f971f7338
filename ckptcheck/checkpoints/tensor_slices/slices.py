"""V1 checkpoints of TensorFlow, read without it.

Format: `tensorflow/core/util/tensor_slice_writer.cc`. Each file is a table (`table.py`). Its empty
key holds the names, types, shapes and slices of its tensors, and each other key the values of one
slice (`messages.py`). A sharded checkpoint has several files; a tensor's slices may lie in any.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from operator import attrgetter
from pathlib import Path

from ckptcheck.checkpoints.checkpoint import Checkpoint, Entry, Piece
from ckptcheck.checkpoints.errors import DamagedError, NotReadableError, TooShortError
from ckptcheck.checkpoints.reader import CHUNK, Bytes, File
from ckptcheck.checkpoints.tensor_bundle import classify
from ckptcheck.checkpoints.tensor_bundle.dtypes import BY_NUMBER
from ckptcheck.checkpoints.tensor_bundle.messages import Extent, slice_key
from ckptcheck.checkpoints.tensor_bundle.protobuf import MalformedError
from ckptcheck.checkpoints.tensor_bundle.slices import are_whole, placed, written
from ckptcheck.checkpoints.tensor_bundle.table import blocks, rows_of
from ckptcheck.checkpoints.tensor_slices import messages
from ckptcheck.checkpoints.tensor_slices.messages import SavedTensor
from ckptcheck.checkpoints.tensor_slices.shards import files_of
from ckptcheck.kinds import Kind

# TensorFlow writes no longer message.
_LARGEST_BLOCK = 1 << 31


@dataclass(frozen=True)
class _Slice(Piece):
    """A slice, found by its key in the table."""

    key: bytes = b""
    dtype: int = 0


class _Table:
    """An open file: finds rows by key, and keeps the block that was read last."""

    def __init__(self, path: Path) -> None:
        self.file = File(path)
        self.blocks = list(blocks(self.file))
        self._kept: tuple[int, dict[bytes, bytes]] = (-1, {})

    def row(self, key: bytes) -> bytes | None:
        """Return the value of a key."""
        at = bisect_left(self.blocks, key, key=attrgetter("last"))
        return self._rows(at).get(key) if at < len(self.blocks) else None

    def _rows(self, at: int) -> dict[bytes, bytes]:
        kept, rows = self._kept
        if kept != at:
            rows = dict(rows_of(self.file, self.blocks[at], _LARGEST_BLOCK))
            self._kept = (at, rows)  # in one step: several threads read
        return rows


@dataclass(frozen=True)
class TensorSlices(Checkpoint):
    """A V1 checkpoint. Its blocks have checksums; a slice is read as a whole."""

    _tables: dict[Path, _Table] = field(default_factory=dict, compare=False)

    def chunks(self, entry: Entry, piece: Piece, *, verify: bool = True) -> Iterator[Bytes]:
        """Yield a slice's bytes; the checksum of its block is verified in any case."""
        assert isinstance(piece, _Slice)
        message = self._message(entry, piece)
        try:
            values = messages.elements(message, piece.dtype, prod(piece.shape))
        except MalformedError as error:
            raise _malformed(entry, piece, error) from None
        content = values.view("u1").reshape(-1)
        for at in range(0, len(content), CHUNK):
            yield content[at : at + CHUNK]

    def must_hold(self, entry: Entry) -> None:
        """Raise if a file holds fewer bytes than a slice needs."""
        for piece in entry.pieces:
            self._message(entry, piece)

    def texts(self, entry: Entry) -> list[bytes]:
        """Return the elements of a text tensor."""
        (piece,) = entry.pieces
        try:
            texts = messages.texts(self._message(entry, piece))
            if len(texts) != entry.elements:
                raise MalformedError(f"it holds {len(texts):,} elements, not {entry.elements:,}")
        except MalformedError as error:
            raise _malformed(entry, piece, error) from None
        return texts

    def _message(self, entry: Entry, piece: Piece) -> bytes:
        """Return the message with a slice's values; it is long enough to hold them."""
        assert isinstance(piece, _Slice)
        row = self._tables[piece.file].row(piece.key)
        if row is None:
            raise DamagedError("its values are missing from the file", piece.file, tensor=entry.key)
        try:
            message = messages.tensor(row)
        except MalformedError as error:
            raise _malformed(entry, piece, error) from None
        if len(message) < messages.least_bytes(piece.dtype, prod(piece.shape)):
            what = f"its {len(message):,} bytes cannot hold shape {list(piece.shape)}"
            raise TooShortError(what, piece.file, tensor=entry.key)
        return message


def _malformed(entry: Entry, piece: Piece, error: MalformedError) -> DamagedError:
    return DamagedError(f"its values are malformed: {error}", piece.file, tensor=entry.key)


def open_slices(path: Path) -> TensorSlices:
    """Open a V1 checkpoint without reading values; raise DamagedError."""
    files = files_of(path)
    tables = {file: _Table(file) for file in files}
    saved: dict[str, list[tuple[Path, SavedTensor]]] = {}
    for file, opened in tables.items():
        for each in _saved(opened):
            saved.setdefault(each.name, []).append((file, each))
    entries = {name: _entry(parts) for name, parts in sorted(saved.items())}
    return TensorSlices(
        path,
        "TensorFlow, tf.train.Saver (V1)",
        tuple(files),
        classify.named(entries, {}),
        by_variables_name=True,
        _tables=tables,
    )


def _saved(opened: _Table) -> list[SavedTensor]:
    first, path = opened.row(b""), opened.file.path
    if first is None:
        raise DamagedError("the file has no list of tensors: TensorFlow did not write it", path)
    try:
        return messages.saved_tensors(first)
    except MalformedError as error:
        raise DamagedError(f"the list of tensors is malformed: {error}", path) from None


def _entry(parts: list[tuple[Path, SavedTensor]]) -> Entry:
    """Build the entry of a tensor from what each file says of it."""
    file, first = parts[0]
    type_ = BY_NUMBER.get(first.dtype)
    if type_ is None or type_.name not in messages.SUPPORTED:
        what = f"its element type, number {first.dtype}, is not one of V1 checkpoints"
        raise NotReadableError(what, file, tensor=first.name)
    for other, each in parts:
        if (each.shape, each.dtype) != (first.shape, first.dtype):
            what = f"its type or shape differs from that in {file.name}"
            raise DamagedError(what, other, tensor=first.name)
    pieces = tuple(_slice(other, each, extents) for other, each in parts for extents in each.slices)
    if type_.numpy is None and len(pieces) > 1:
        raise NotReadableError(
            f"text in {len(pieces):,} slices is not supported", file, tensor=first.name
        )
    if not pieces or not are_whole(pieces, first.shape):
        raise DamagedError("its slices overlap or leave gaps", file, tensor=first.name)
    dtype = None if type_.numpy is None else type_.numpy.newbyteorder("<")
    return Entry(first.name, first.name, Kind.OTHER, type_.name, dtype, first.shape, pieces)


def _slice(file: Path, saved: SavedTensor, extents: tuple[Extent, ...]) -> _Slice:
    place = placed(extents, saved.shape)
    if place is None:
        what = f"its slice ({written(extents)}) does not fit the tensor"
        raise DamagedError(what, file, tensor=saved.name)
    key = slice_key(saved.name.encode("utf-8", "surrogateescape"), extents)
    numpy = BY_NUMBER[saved.dtype].numpy
    size = 0 if numpy is None else prod(place[1]) * numpy.itemsize
    return _Slice(*place, file, None, size, key=key, dtype=saved.dtype)
