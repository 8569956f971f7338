"""A distributed checkpoint: each part of a tensor is a file of `torch.save` within a `.distcp`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np

from ckptcheck.checkpoints.checkpoint import Entry, Piece
from ckptcheck.checkpoints.dcp.layout import DATA, METADATA, own_files
from ckptcheck.checkpoints.dcp.metadata import Item, Place, Tensor, read_metadata
from ckptcheck.checkpoints.errors import DamagedError, NotReadableError
from ckptcheck.checkpoints.reader import Bytes, File
from ckptcheck.checkpoints.torch_zip.archive import Archive, read_archive
from ckptcheck.checkpoints.torch_zip.file import WithValues, given_entry
from ckptcheck.checkpoints.torch_zip.names import Named, named
from ckptcheck.checkpoints.torch_zip.values import (
    Found,
    Given,
    ImpossibleError,
    Stored,
    contiguous,
)


@dataclass(frozen=True)
class DistributedCheckpoint(WithValues):
    """A folder that PyTorch's distributed checkpointing saved. All parts have checksums."""

    # By the number of their storage.
    _tensors: Mapping[str, Tensor] = field(kw_only=True, compare=False, repr=False)

    def chunks(self, entry: Entry, piece: Piece, *, verify: bool = True) -> Iterator[Bytes]:
        """Yield a part's bytes in order; `verify` compares the checksums in its archive."""
        value = self._values[entry.key]
        if isinstance(value, Given):
            yield from value.chunks()
            return
        parts = self._tensors[value.storage].parts
        place = next(part.place for part in parts if part.start == piece.start)
        archive = _archive_at(place)
        stored = _only_tensor(archive, value, piece, entry.key)
        if verify:
            archive.check(without=archive.storages)
        yield from archive.chunks(stored, entry.key, verify=verify)

    def must_hold(self, entry: Entry) -> None:
        """Raise if a file is too short for a part."""
        value = self._values[entry.key]
        if isinstance(value, Stored):
            for part in self._tensors[value.storage].parts:
                _must_hold(part.place, prod(part.shape) * value.dtype.itemsize, entry.key)


def open_folder(folder: Path) -> DistributedCheckpoint:
    """Open a distributed checkpoint: its metadata, and every object that is no tensor.

    Raises:
        DamagedError: the metadata or an object is damaged or forged.
    """
    metadata = folder / METADATA
    if not metadata.exists():
        what = (
            "the file is missing: a save writes it last, and was interrupted, or it was not copied"
        )
        raise DamagedError(what, metadata)
    items = read_metadata(metadata)
    tensors = {str(at): each.held for at, each in enumerate(items) if isinstance(each.held, Tensor)}
    try:
        found = [each for at, item in enumerate(items) for each in _found(str(at), item)]
    except ImpossibleError as error:
        raise DamagedError(f"what the metadata describe cannot be: {error}", metadata) from None
    by_key = named(found)
    entries = {key: _entry(key, each, tensors, metadata) for key, each in sorted(by_key.items())}
    files = dict.fromkeys(place.file for item in items for place in item.places)
    return DistributedCheckpoint(
        folder,
        "PyTorch, distributed checkpoint",
        (metadata, *files, *_others(folder)),
        entries,
        _values={key: each.value for key, each in by_key.items()},
        _tensors=tensors,
    )


def _others(folder: Path) -> list[Path]:
    """Return what a program saved beside the data, such as the `meta.pt` of Lightning."""
    return [each for each in own_files(folder) if each.name != METADATA and each.suffix != DATA]


def _found(storage: str, item: Item) -> Iterator[Found]:
    """Yield a tensor, or what an object holds."""
    if isinstance(item.held, Tensor):
        yield item.path, contiguous(item.held.type, item.held.shape, storage)
        return
    archive = _archive_at(item.held)
    archive.check()
    for path, value in archive.found:
        yield (*item.path, *path), value if isinstance(value, Given) else _small(archive, value)


def _small(archive: Archive, value: Stored) -> Given:
    """Return a tensor within an object, read whole."""
    chunks = [chunk.copy() for chunk in archive.chunks(value, value.storage)]
    whole = np.concatenate([np.empty(0, np.uint8), *chunks])
    return Given(value.type, whole.view(value.dtype).reshape(value.shape))


def _entry(key: str, found: Named, tensors: Mapping[str, Tensor], metadata: Path) -> Entry:
    value = found.value
    if isinstance(value, Given):
        return given_entry(key, found, value, metadata)
    width, held = value.dtype.itemsize, tensors[value.storage]
    # An archive has more bytes than its tensor: only its reader knows where they are.
    pieces = tuple(
        Piece(part.start, part.shape, part.place.file, None, prod(part.shape) * width)
        for part in held.parts
    )
    dtype = value.dtype.newbyteorder("<")
    return Entry(key, found.name, found.kind, value.type, dtype, value.shape, pieces)


def _archive_at(place: Place) -> Archive:
    archive = read_archive(File(place.file, place.offset, place.length))
    if archive.is_big:
        raise NotReadableError("the file was written on a big-endian machine", place.file)
    return archive


def _must_hold(place: Place, size: int, tensor: str) -> None:
    """Raise if a file does not hold a part, or if the part has fewer bytes than its tensor."""
    File(place.file).must_hold(place.offset, place.length, tensor)
    if size > place.length:
        what = f"a part takes {size:,} bytes, but has a place of {place.length:,}"
        raise DamagedError(what, place.file, place.offset, tensor)


def _only_tensor(archive: Archive, value: Stored, piece: Piece, tensor: str) -> Stored:
    """Return the one tensor in an archive, which must be as the metadata say."""
    if len(archive.found) == 1:
        stored = archive.found[0][1]
        if isinstance(stored, Stored) and (stored.type, stored.shape) == (value.type, piece.shape):
            return stored
    what = "a part is not the tensor that the metadata describe"
    raise DamagedError(what, archive.path, archive.part[0], tensor)
