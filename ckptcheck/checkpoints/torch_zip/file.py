"""A file of `torch.save`: the pickle is read on opening, storages are read where they lie."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from ckptcheck.checkpoints.checkpoint import Checkpoint, Entry, Piece
from ckptcheck.checkpoints.reader import Bytes, File
from ckptcheck.checkpoints.torch_zip.archive import Archive, read_archive
from ckptcheck.checkpoints.torch_zip.names import Named, named
from ckptcheck.checkpoints.torch_zip.pickled import Pairs
from ckptcheck.checkpoints.torch_zip.values import Given, Stored
from ckptcheck.kinds import Kind

_LIGHTNING = "pytorch-lightning_version"


@dataclass(frozen=True)
class WithValues(Checkpoint):
    """A checkpoint of tensors, and of numbers and texts that were read on opening."""

    _values: Mapping[str, Stored | Given] = field(kw_only=True, compare=False, repr=False)

    def is_tensor(self, entry: Entry) -> bool:
        """Return whether an entry is a tensor, and no number or text of the program."""
        return isinstance(self._values[entry.key], Stored)

    def texts(self, entry: Entry) -> list[bytes]:
        """Return the text of an entry."""
        value = self._values[entry.key]
        assert isinstance(value, Given)
        return [value.text]


@dataclass(frozen=True)
class TorchFile(WithValues):
    """A file of `torch.save`. Each storage has a checksum, compared when a tensor is read."""

    _archive: Archive = field(kw_only=True, compare=False, repr=False)

    def chunks(self, entry: Entry, piece: Piece, *, verify: bool = True) -> Iterator[Bytes]:
        """Yield a tensor's bytes in order; `verify` compares the checksum of a whole storage."""
        value = self._values[entry.key]
        if isinstance(value, Given):
            yield from value.chunks()
        else:
            yield from self._archive.chunks(value, entry.key, verify=verify)

    def check(self) -> None:
        """Compare the checksums of what no tensor has.

        Raises:
            DamagedError: one does not match.
        """
        tensors = (value for value in self._values.values() if isinstance(value, Stored))
        self._archive.check(without={value.storage for value in tensors})

    def must_hold(self, entry: Entry) -> None:
        """Raise if a storage is too short for a tensor."""
        value = self._values[entry.key]
        if isinstance(value, Stored):
            self._archive.must_hold(value, entry.key)


def open_torch(path: Path) -> TorchFile:
    """Open a file of `torch.save`.

    Raises:
        NotReadableError: it is a TorchScript archive, or a pickle alone.
        DamagedError: it is truncated or corrupt, or its pickle is forged.
    """
    archive = read_archive(File(path))
    found = named(archive.found, path.stem)
    entries = {key: _entry(key, each, archive) for key, each in sorted(found.items())}
    return TorchFile(
        path,
        "Lightning checkpoint" if _is_lightning(archive.content) else "PyTorch, torch.save",
        (path,),
        entries,
        _archive=archive,
        _values={key: each.value for key, each in found.items()},
    )


def _is_lightning(content: Any) -> bool:
    return isinstance(content, Pairs) and content.get(_LIGHTNING) is not None


def _entry(key: str, found: Named, archive: Archive) -> Entry:
    value = found.value
    if isinstance(value, Given):
        return given_entry(key, found, value, archive.path)
    if value.storage not in archive.storages:
        archive.must_hold(value, key)  # raises
    size = prod(value.shape) * value.dtype.itemsize
    # A place in the file is given to no tensor: what follows the last one is the zip's directory.
    piece = Piece((0,) * len(value.shape), value.shape, archive.path, None, size)
    dtype = value.dtype.newbyteorder(">" if archive.is_big else "<")
    return Entry(key, found.name, found.kind, value.type, dtype, value.shape, (piece,))


def given_entry(key: str, found: Named, value: Given, path: Path) -> Entry:
    """Return the entry of a number, a text or an array that a pickle itself holds."""
    if isinstance(value.value, bytes):
        piece = Piece((), (), path, None, len(value.value))
        return Entry(key, found.name, Kind.OTHER, value.type, None, (), (piece,))
    array = value.value
    piece = Piece((0,) * array.ndim, array.shape, path, None, array.nbytes)
    return Entry(key, found.name, found.kind, value.type, array.dtype, array.shape, (piece,))
