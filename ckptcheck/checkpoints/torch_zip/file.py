"""A file of `torch.save`: the pickle is read on opening, storages are read where they lie.

The writer is `caffe2/serialize/inline_container.cc`: members `NAME/data.pkl`, `NAME/byteorder`,
`NAME/data/0` and so on are stored uncompressed, each with a CRC-32, or with 0 in its place.
"""

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ckptcheck.checkpoints.checkpoint import Checkpoint, Entry, Piece
from ckptcheck.checkpoints.errors import DamagedError, NotReadableError
from ckptcheck.checkpoints.first_bytes import ZIP, refusal
from ckptcheck.checkpoints.reader import CHUNK, Bytes, File
from ckptcheck.checkpoints.torch_zip.names import Named, named
from ckptcheck.checkpoints.torch_zip.pickled import MOST_BYTES, Pairs, PickleError, load
from ckptcheck.checkpoints.torch_zip.values import (
    Found,
    Given,
    ImpossibleError,
    Stored,
    TooMuchError,
    values,
)
from ckptcheck.checkpoints.zip_members import must_be_plain, start_of
from ckptcheck.kinds import Kind

PICKLE = "data.pkl"
_SCRIPT = "constants.pkl"  # of TorchScript
_OLD = b"\x80"  # how a pickle begins
_OF_SCRIPT = "the file is a TorchScript archive, which is a program with its weights"
_SAVE_STATE = "load it with torch.jit.load, and save its state_dict() with torch.save"
_LIGHTNING = "pytorch-lightning_version"


@dataclass(frozen=True)
class _Member:
    name: str
    start: int
    size: int
    crc: int  # 0: there is none


@dataclass(frozen=True)
class TorchFile(Checkpoint):
    """A file of `torch.save`. The checksum of a storage is compared when all of it is read."""

    _members: Mapping[str, _Member] = field(kw_only=True, compare=False)  # storages by number
    _values: Mapping[str, Stored | Given] = field(kw_only=True, compare=False)
    _others: tuple[_Member, ...] = field(kw_only=True, compare=False)

    def chunks(self, entry: Entry, piece: Piece, *, verify: bool = True) -> Iterator[Bytes]:
        """Yield a tensor's bytes in order; `verify` compares the checksum of a whole storage."""
        value = self._values[entry.key]
        if isinstance(value, Given):
            content = value.value if isinstance(value.value, bytes) else value.value.tobytes()
            if content:
                yield np.frombuffer(content, np.uint8).copy()
            return
        self.must_hold(entry)
        file, member = File(self.path), self._members[value.storage]
        if value.is_contiguous:
            yield from self._in_order(file, member, value, entry, verify)
        elif entry.elements:
            yield from self._gathered(file, member, value, entry)

    def _in_order(
        self, file: File, member: _Member, value: Stored, entry: Entry, verify: bool
    ) -> Iterator[Bytes]:
        start = member.start + value.offset * value.dtype.itemsize
        is_compared = verify and self._is_whole(value)
        crc = 0
        for chunk in file.chunks(start, entry.bytes, entry.key):
            if is_compared:
                crc = zlib.crc32(chunk.data, crc)
            yield chunk
        if is_compared:
            _must_match(self.path, member, crc, entry.key)

    def _gathered(
        self, file: File, member: _Member, value: Stored, entry: Entry
    ) -> Iterator[Bytes]:
        """Yield the elements of a tensor that does not lie in order, such as a transposed one."""
        width = value.dtype.itemsize
        start = member.start + value.offset * width
        raw = file.read(start, value.span * width, entry.key)
        strides = tuple(each * width for each in value.strides)
        ordered = np.ndarray(value.shape, value.dtype, raw, strides=strides)
        if value.is_conjugate:
            ordered = ordered.conj()
        if value.is_negative:
            ordered = -ordered
        flat = np.ascontiguousarray(ordered).reshape(-1).view(np.uint8)
        for at in range(0, len(flat), CHUNK):
            yield flat[at : at + CHUNK]

    def check(self) -> None:
        """Compare the checksums of what no tensor is the whole of.

        Raises:
            DamagedError: one does not match.
        """
        file = File(self.path)
        whole = {
            value.storage
            for value in self._values.values()
            if isinstance(value, Stored) and self._is_whole(value)
        }
        parts = [each for number, each in self._members.items() if number not in whole]
        for member in (*self._others, *parts):
            crc = 0
            for chunk in file.chunks(member.start, member.size):
                crc = zlib.crc32(chunk.data, crc)
            _must_match(self.path, member, crc)

    def _is_whole(self, value: Stored) -> bool:
        size = prod(value.shape) * value.dtype.itemsize
        return value.is_contiguous and size == self._members[value.storage].size

    def must_hold(self, entry: Entry) -> None:
        """Raise if a storage is too short for a tensor."""
        value = self._values[entry.key]
        if isinstance(value, Stored) and entry.elements:
            member, width = self._members[value.storage], value.dtype.itemsize
            end = (value.offset + value.span) * width
            if end > member.size:
                what = (
                    f"the tensor ends at byte {end:,} of {member.name}, which has {member.size:,}"
                )
                raise DamagedError(what, self.path, member.start, entry.key)
            # Elements may be shown more than once, as `expand` does: not without a bound.
            if entry.elements * width > max(1 << 30, 64 * member.size):
                raise NotReadableError(
                    f"the tensor repeats {member.size:,} bytes to {entry.elements * width:,}",
                    self.path,
                    tensor=entry.key,
                )

    def is_tensor(self, entry: Entry) -> bool:
        """Return whether an entry is a tensor, and no number or text of the program."""
        return isinstance(self._values[entry.key], Stored)

    def texts(self, entry: Entry) -> list[bytes]:
        """Return the text of an entry."""
        value = self._values[entry.key]
        assert isinstance(value, Given)
        assert isinstance(value.value, bytes)
        return [value.value]


def open_torch(path: Path) -> TorchFile:
    """Open a file of `torch.save`.

    Raises:
        NotReadableError: it is a TorchScript archive.
        DamagedError: it is truncated or corrupt, or its pickle is forged.
    """
    file = File(path)
    if file.read(0, min(file.size, 1)) == _OLD:
        raise NotReadableError(
            "the file is a pickle, as PyTorch before 1.6 saved",
            path,
            remedy="load it with torch.load, and save it again with torch.save",
        )
    members = _members(file)
    if file.read(0, 4) != ZIP:
        what = "the zip archive does not begin where the file does, so that torch.load refuses it"
        raise DamagedError(what, path, 0)
    root = next((name[: -len(PICKLE)] for name in members if _is_member(name, PICKLE)), None)
    if root is None:
        raise refusal(path, "a PyTorch checkpoint") or DamagedError(
            f"the zip archive has no {PICKLE}", path
        )
    content = _read_pickle(file, members[f"{root}{PICKLE}"])
    found = named(_values(path, members[f"{root}{PICKLE}"], content))
    storages = {
        name.removeprefix(f"{root}data/"): each
        for name, each in members.items()
        if name.startswith(f"{root}data/")
    }
    order = members.get(f"{root}byteorder")
    is_big = order is not None and file.read(order.start, min(order.size, 3)) == b"big"
    entries = {
        key: _entry(path, key, each, storages, is_big) for key, each in sorted(found.items())
    }
    others = [each for name, each in members.items() if not name.startswith(f"{root}data/")]
    return TorchFile(
        path,
        "Lightning checkpoint" if _is_lightning(content) else "PyTorch, torch.save",
        (path,),
        entries,
        _members=storages,
        _values={key: each.value for key, each in found.items()},
        _others=tuple(others),
    )


def _is_member(name: str, wanted: str) -> bool:
    """Return whether a member has a name in the folder of the archive, or in none."""
    return name.rpartition("/")[2] == wanted and name.count("/") <= 1


def _must_match(path: Path, member: _Member, crc: int, tensor: str | None = None) -> None:
    """Raise if a checksum is not the one in the archive, if that has one."""
    if member.crc not in (0, crc):
        what = f"the checksum of {member.name} in the archive does not match"
        raise DamagedError(what, path, member.start, tensor)


def _is_lightning(content: Any) -> bool:
    return isinstance(content, Pairs) and content.get(_LIGHTNING) is not None


def _members(file: File) -> dict[str, _Member]:
    found: dict[str, zipfile.ZipInfo] = {}
    try:
        with zipfile.ZipFile(file.path) as archive:
            if any(_is_member(name, _SCRIPT) for name in archive.namelist()):
                raise NotReadableError(_OF_SCRIPT, file.path, remedy=_SAVE_STATE)
            for info in archive.infolist():
                must_be_plain(file, info, found, "PyTorch")
                found[info.filename] = info
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, OSError) as error:
        is_zip = file.read(0, min(file.size, 4)) == ZIP
        what = f"the zip archive is truncated or corrupt: {error}"
        other = None if is_zip else refusal(file.path, "a PyTorch checkpoint")
        raise other or DamagedError(what, file.path) from None
    return {
        name: _Member(name, start_of(file, info), info.file_size, info.CRC)
        for name, info in found.items()
    }


def _read_pickle(file: File, member: _Member) -> Any:
    """Return what the pickle holds, as data.

    Raises:
        DamagedError: it is damaged, or larger than any checkpoint needs.
    """
    if member.size > MOST_BYTES:
        what = f"{member.name} has {member.size:,} bytes, too many for a description of tensors"
        raise DamagedError(what, file.path, member.start)
    content = file.read(member.start, member.size)
    _must_match(file.path, member, zlib.crc32(content))
    try:
        return load(content)
    except PickleError as error:
        raise DamagedError(error.what, file.path, member.start + error.offset) from None


def _values(path: Path, member: _Member, content: Any) -> list[Found]:
    try:
        return list(values(content))
    except TooMuchError as error:
        raise NotReadableError(f"what {member.name} describes: {error}", path) from None
    except ImpossibleError as error:
        what = f"what {member.name} describes cannot be: {error}"
        raise DamagedError(what, path, member.start) from None


def _entry(
    path: Path, key: str, found: Named, storages: Mapping[str, _Member], is_big: bool
) -> Entry:
    value = found.value
    if isinstance(value, Given):
        return _of_given(path, key, found, value)
    member = storages.get(value.storage)
    if member is None:
        raise DamagedError(f"the archive has no storage {value.storage}", path, tensor=key)
    size = prod(value.shape) * value.dtype.itemsize
    # A place in the file is given to no tensor: what follows the last one is the zip's directory.
    piece = Piece((0,) * len(value.shape), value.shape, path, None, size)
    dtype = value.dtype.newbyteorder(">" if is_big else "<")
    return Entry(key, found.name, found.kind, value.type, dtype, value.shape, (piece,))


def _of_given(path: Path, key: str, found: Named, value: Given) -> Entry:
    if isinstance(value.value, bytes):
        piece = Piece((), (), path, None, len(value.value))
        return Entry(key, found.name, Kind.OTHER, value.type, None, (), (piece,))
    array = value.value
    piece = Piece((0,) * array.ndim, array.shape, path, None, array.nbytes)
    return Entry(key, found.name, found.kind, value.type, array.dtype, array.shape, (piece,))
