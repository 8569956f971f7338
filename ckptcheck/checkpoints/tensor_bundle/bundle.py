"""Tensor bundles, the V2 checkpoints of TensorFlow: an index file with data files beside it.

Format: `tensorflow/core/util/tensor_bundle/tensor_bundle.h`. The index is a table (`table.py`)
that maps tensor names to entries (`messages.py`), and the empty name to a header. An entry holds
the data file, offset, size and checksum. A partitioned variable has one entry that lists its
slices, and one entry for each slice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from math import prod
from pathlib import Path

from ckptcheck.checkpoints.checkpoint import Checkpoint, Entry, Piece
from ckptcheck.checkpoints.checksums import checksum, masked
from ckptcheck.checkpoints.errors import DamagedError, NotReadableError
from ckptcheck.checkpoints.reader import Bytes, File
from ckptcheck.checkpoints.tensor_bundle import classify, object_graph
from ckptcheck.checkpoints.tensor_bundle.dtypes import BY_NUMBER, VARIANT, Type
from ckptcheck.checkpoints.tensor_bundle.messages import (
    BundleEntry,
    Extent,
    entry,
    header,
    slice_key,
)
from ckptcheck.checkpoints.tensor_bundle.protobuf import MalformedError, varint
from ckptcheck.checkpoints.tensor_bundle.slices import are_whole, placed, written
from ckptcheck.checkpoints.tensor_bundle.table import rows
from ckptcheck.kinds import Kind

INDEX = ".index"
# Elements of variable size are read all at once; no vocabulary has this many.
MOST_TEXTS = 1 << 23


@dataclass(frozen=True)
class TensorBundle(Checkpoint):
    """A tensor bundle."""

    _open: dict[Path, File] = field(default_factory=dict, compare=False)

    def chunks(self, entry: Entry, piece: Piece, *, verify: bool = True) -> Iterator[Bytes]:
        """Yield a piece's bytes."""
        assert piece.offset is not None
        computed = 0
        for chunk in self._file(piece.file).chunks(piece.offset, piece.size, entry.key):
            if verify:
                computed = checksum(chunk, computed)
            yield chunk
        if verify and masked(computed) != piece.checksum:
            raise _wrong(entry, piece)

    def must_hold(self, entry: Entry) -> None:
        """Raise if the data files are too short for a tensor."""
        for piece in entry.pieces:
            assert piece.offset is not None
            self._file(piece.file).must_hold(piece.offset, piece.size, entry.key)

    def texts(self, entry: Entry) -> list[bytes]:
        """Return the elements of a tensor of text or serialised objects."""
        (piece,) = entry.pieces
        assert piece.offset is not None
        data = self._file(piece.file).read(piece.offset, piece.size, entry.key)
        try:
            texts, computed = (_variants if entry.type == VARIANT else _strings)(
                data, entry.elements
            )
        except MalformedError as error:
            raise DamagedError(str(error), piece.file, piece.offset, entry.key) from None
        if masked(computed) != piece.checksum:
            raise _wrong(entry, piece)
        return texts

    def _file(self, path: Path) -> File:
        if path not in self._open:
            self._open[path] = File(path)
        return self._open[path]


def _wrong(entry: Entry, piece: Piece) -> DamagedError:
    what = f"the checksum of its {piece.size:,} bytes does not match the index"
    cause = "the data are corrupt, or from a different save"
    return DamagedError(f"{what}: {cause}", piece.file, piece.offset, entry.key)


@dataclass(frozen=True)
class _Index:
    """The content of an index file: entries of tensors and slices by key, and their data files."""

    path: Path
    big_endian: bool
    files: tuple[Path, ...]
    entries: Mapping[bytes, BundleEntry]


def open_bundle(prefix: Path, *, named: bool = True) -> TensorBundle:
    """Open the bundle with a prefix, without reading values.

    With `named`, take names and kinds from the object graph, which is then not among the entries.
    Nothing else in the data files is read.
    """
    index = _read(prefix)
    slices = {
        slice_key(key, extents) for key, raw in index.entries.items() for extents in raw.slices
    }
    entries = {
        key: _entry(key, raw, index)
        for name, raw in index.entries.items()
        if name not in slices
        for key in [name.decode("utf-8", "surrogateescape")]
    }
    by_name = object_graph.KEY not in entries
    format_ = "TensorFlow, tf.train.Saver" if by_name else "TensorFlow, tf.train.Checkpoint"
    bundle = TensorBundle(
        prefix, format_, (index.path, *index.files), entries, by_variables_name=by_name
    )
    if not named:
        return bundle
    graph = entries.pop(object_graph.KEY, None)
    tracked = {} if graph is None else _tracked(bundle, graph)
    promised = tuple(
        key for key in tracked if key.endswith(object_graph.VALUE) and key not in entries
    )
    return replace(bundle, entries=classify.named(entries, tracked), promised=promised, graph=graph)


def is_index(path: Path) -> bool:
    """Return whether a table is the index of a bundle: its first row is a header."""
    try:
        key, value = next(rows(path), (b"", b""))
        return not key and value[:1] == b"\x08" and bool(header(value))
    except (DamagedError, MalformedError):
        return False


def _tracked(bundle: TensorBundle, graph: Entry) -> Mapping[str, object_graph.Tracked]:
    """Return the object graph by key; empty if its data file is missing: the index still opens."""
    piece = graph.pieces[0]
    if not piece.file.exists():
        return {}
    if graph.dtype is not None:
        raise DamagedError(
            f"the object graph is {graph.type}, not text", piece.file, piece.offset, graph.key
        )
    message = b"".join(bundle.texts(graph))
    try:
        return object_graph.tracked(message)
    except MalformedError as error:
        raise DamagedError(
            f"the object graph is malformed: {error}", piece.file, piece.offset, graph.key
        ) from None


def _read(prefix: Path) -> _Index:
    path = Path(f"{prefix}{INDEX}")
    head: tuple[int, bool] | None = None
    entries: dict[bytes, BundleEntry] = {}
    for key, value in rows(path):
        try:
            if key:
                entries[key] = entry(value)
            else:
                head = header(value)
        except MalformedError as error:
            name = key.decode("utf-8", "surrogateescape") or "(header)"
            raise DamagedError(f"its entry is malformed: {error}", path, tensor=name) from None
    if head is None:
        raise DamagedError("the index has no header: TensorFlow did not write it", path)
    shards, big_endian = head
    files = tuple(Path(f"{prefix}.data-{shard:05d}-of-{shards:05d}") for shard in range(shards))
    return _Index(path, big_endian, files, entries)


def _entry(key: str, raw: BundleEntry, index: _Index) -> Entry:
    type_ = BY_NUMBER.get(raw.dtype)
    if type_ is None:
        raise DamagedError(
            f"its element type, number {raw.dtype}, is unknown",
            index.path,
            tensor=key,
        )
    if raw.slices:
        pieces = tuple(_slice(key, raw, type_, extents, index) for extents in raw.slices)
        if not are_whole(pieces, raw.shape):
            raise DamagedError("its slices overlap or leave gaps", index.path, tensor=key)
    else:
        pieces = (_piece(key, raw, type_, (0,) * len(raw.shape), index),)
    dtype = (
        type_.numpy.newbyteorder(">")
        if type_.numpy is not None and index.big_endian
        else type_.numpy
    )
    return Entry(key, key, Kind.OTHER, type_.name, dtype, raw.shape, pieces)


def _piece(key: str, raw: BundleEntry, type_: Type, start: tuple[int, ...], index: _Index) -> Piece:
    count, size = prod(raw.shape), f"{raw.size:,} bytes"
    if raw.shard >= len(index.files):
        raise DamagedError(
            f"its data file has number {raw.shard}, but the index counts {len(index.files)}",
            index.path,
            tensor=key,
        )
    if type_.numpy is not None and raw.size != count * type_.numpy.itemsize:
        shape = list(raw.shape)
        raise DamagedError(
            f"its {size} do not fit {type_.name} of shape {shape}", index.path, tensor=key
        )
    if type_.numpy is None and count > raw.size:  # each element needs a byte for its length
        raise DamagedError(
            f"its {size} cannot hold {count:,} elements of {type_.name}", index.path, tensor=key
        )
    if type_.numpy is None and count > MOST_TEXTS:
        raise NotReadableError(
            f"{count:,} elements of {type_.name} are too many to read", index.path, tensor=key
        )
    return Piece(start, raw.shape, index.files[raw.shard], raw.offset, raw.size, raw.checksum)


def _slice(
    key: str, whole: BundleEntry, type_: Type, extents: tuple[Extent, ...], index: _Index
) -> Piece:
    raw = index.entries.get(slice_key(key.encode("utf-8", "surrogateescape"), extents))
    place = placed(extents, whole.shape)
    if (
        raw is None
        or place is None
        or raw.shape != place[1]
        or raw.dtype != whole.dtype
        or type_.numpy is None
    ):
        raise DamagedError(
            f"its slice ({written(extents)}) is missing or does not fit the tensor",
            index.path,
            tensor=key,
        )
    return _piece(key, raw, type_, place[0], index)


def _strings(data: bytes, count: int) -> tuple[list[bytes], int]:
    """Split the value of a text tensor, and compute its checksum.

    The value is all lengths, their checksum, then all texts. Its own checksum covers the lengths as
    4 bytes each (8 if needed), that checksum, and the texts.
    """
    lengths, at = [], 0
    for _ in range(count):
        length, at = varint(data, at)
        lengths.append(length)
    if at + 4 + sum(lengths) != len(data):
        raise MalformedError("the lengths of its elements do not add up to its size")
    summed = b"".join(length.to_bytes(4 if length < 1 << 32 else 8, "little") for length in lengths)
    computed = checksum(summed)
    if masked(computed) != int.from_bytes(data[at : at + 4], "little"):
        raise MalformedError("the checksum of the lengths of its elements does not match")
    ends = accumulate(lengths, initial=at + 4)
    return [data[first:last] for first, last in pairwise(ends)], checksum(data[at:], computed)


def _variants(data: bytes, count: int) -> tuple[list[bytes], int]:
    """Split the value of a tensor of serialised objects (iterators), and compute its checksum.

    Each element is its length, its bytes, and a checksum of everything so far. The value's own
    checksum covers each length as 8 bytes, the bytes, and that checksum.
    """
    elements, at, computed = [], 0, 0
    for _ in range(count):
        length, at = varint(data, at)
        end = at + length
        if end + 4 > len(data):
            raise MalformedError("an element extends beyond the value's end")
        elements.append(data[at:end])
        computed = checksum(data[at:end], checksum(length.to_bytes(8, "little"), computed))
        if masked(computed) != int.from_bytes(data[end : end + 4], "little"):
            raise MalformedError("the checksum of an element does not match")
        computed = checksum(data[end : end + 4], computed)
        at = end + 4
    if at != len(data):
        raise MalformedError("it has more bytes than its elements need")
    return elements, computed
