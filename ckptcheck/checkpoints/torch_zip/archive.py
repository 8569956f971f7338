"""The zip archive of `torch.save`: a file, or a part of one.

The writer is `caffe2/serialize/inline_container.cc`: members `NAME/data.pkl`, `NAME/byteorder`,
`NAME/data/0` and so on are stored uncompressed, each with a CRC-32, or with 0 in its place.
"""

import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ckptcheck.checkpoints import zip_members
from ckptcheck.checkpoints.errors import DamagedError, NotReadableError, WrongChecksumError
from ckptcheck.checkpoints.first_bytes import ZIP, refusal
from ckptcheck.checkpoints.reader import CHUNK, Bytes, File
from ckptcheck.checkpoints.torch_zip.pickled import MOST_BYTES, PickleError, load
from ckptcheck.checkpoints.torch_zip.values import (
    Found,
    ImpossibleError,
    Stored,
    TooMuchError,
    values,
)

PICKLE = "data.pkl"
_SCRIPT = "constants.pkl"  # of TorchScript
_OLD = b"\x80"  # how a pickle begins
_OF_SCRIPT = "the file is a TorchScript archive, which is a program with its weights"
_SAVE_STATE = "load it with torch.jit.load, and save its state_dict() with torch.save"


@dataclass(frozen=True)
class Member:
    """A member of the archive, stored as it is."""

    name: str
    start: int  # of its bytes
    size: int
    crc: int  # 0: there is none


@dataclass(frozen=True)
class Archive:
    """An archive that was read: the pickle whole, storages only where they lie."""

    path: Path
    part: tuple[int, int]  # where the archive begins in the file, and its size
    content: Any  # what the pickle holds
    found: tuple[Found, ...]  # the tensors, numbers and texts in it
    storages: Mapping[str, Member]  # by number
    others: tuple[Member, ...]
    is_big: bool  # big-endian
    _checked: set[str] = field(default_factory=set)  # the storages whose checksums match

    def chunks(self, value: Stored, tensor: str, *, verify: bool = True) -> Iterator[Bytes]:
        """Yield a tensor's bytes in order; `verify` compares the checksum of its storage."""
        self.must_hold(value, tensor)
        is_whole = self.is_whole(value)
        if verify and not is_whole and value.storage not in self._checked:
            self._check_member(self.storages[value.storage], tensor)
            self._checked.add(value.storage)
        if value.is_contiguous:
            yield from self._in_order(value, tensor, verify and is_whole)
        elif prod(value.shape):
            yield from self._gathered(value, tensor)

    def _in_order(self, value: Stored, tensor: str, is_compared: bool) -> Iterator[Bytes]:
        member, width = self.storages[value.storage], value.dtype.itemsize
        crc = 0
        start = member.start + value.offset * width
        for chunk in self._file().chunks(start, prod(value.shape) * width, tensor):
            if is_compared:
                crc = zlib.crc32(chunk.data, crc)
            yield chunk
        if is_compared:
            self._must_match(member, crc, tensor)

    def _gathered(self, value: Stored, tensor: str) -> Iterator[Bytes]:
        """Yield the elements of a tensor that does not lie in order, such as a transposed one."""
        width = value.dtype.itemsize
        start = self.storages[value.storage].start + value.offset * width
        raw = self._file().read(start, value.span * width, tensor)
        strides = tuple(each * width for each in value.strides)
        ordered = np.ndarray(value.shape, value.dtype, raw, strides=strides)
        if value.is_conjugate:
            ordered = ordered.conj()
        if value.is_negative:
            ordered = -ordered
        flat = np.ascontiguousarray(ordered).reshape(-1).view(np.uint8)
        for at in range(0, len(flat), CHUNK):
            yield flat[at : at + CHUNK]

    def must_hold(self, value: Stored, tensor: str) -> None:
        """Raise if there is no storage for a tensor, or one too short."""
        member = self.storages.get(value.storage)
        if member is None:
            what = f"the archive has no storage {value.storage}"
            raise DamagedError(what, self.path, tensor=tensor)
        width, elements = value.dtype.itemsize, prod(value.shape)
        end = (value.offset + value.span) * width
        if elements and end > member.size:
            what = f"the tensor ends at byte {end:,} of {member.name}, which has {member.size:,}"
            raise DamagedError(what, self.path, self.part[0] + member.start, tensor)
        # Elements may be shown more than once, as `expand` does: not without a bound.
        if elements * width > max(1 << 30, 64 * member.size):
            raise NotReadableError(
                f"the tensor repeats {member.size:,} bytes to {elements * width:,}",
                self.path,
                tensor=tensor,
            )

    def is_whole(self, value: Stored) -> bool:
        """Return whether a tensor is all of its storage."""
        member = self.storages.get(value.storage)
        size = prod(value.shape) * value.dtype.itemsize
        return value.is_contiguous and member is not None and size == member.size

    def check(self, without: Collection[str] = ()) -> None:
        """Compare the checksums of all members but of some storages.

        Raises:
            DamagedError: one does not match.
        """
        parts = (each for number, each in self.storages.items() if number not in without)
        for member in (*self.others, *parts):
            self._check_member(member)

    def _check_member(self, member: Member, tensor: str | None = None) -> None:
        crc = 0
        for chunk in self._file().chunks(member.start, member.size, tensor):
            crc = zlib.crc32(chunk.data, crc)
        self._must_match(member, crc, tensor)

    def _file(self) -> File:
        return File(self.path, *self.part)

    def _must_match(self, member: Member, crc: int, tensor: str | None = None) -> None:
        _must_match(self._file(), member, crc, tensor)


def read_archive(file: File) -> Archive:
    """Read an archive of `torch.save`.

    Raises:
        NotReadableError: it is of TorchScript, or a pickle alone.
        DamagedError: it is truncated or corrupt, or its pickle is forged.
    """
    if file.read(0, min(file.size, 1)) == _OLD:
        raise NotReadableError(
            "the file is a pickle, as PyTorch before 1.6 saved",
            file.path,
            remedy="load it with torch.load, and save it again with torch.save",
        )
    members = _members(file)
    if file.read(0, 4) != ZIP:
        what = "the zip archive does not begin where the file does, so that torch.load refuses it"
        raise DamagedError(what, file.path, file.start)
    root = next((name[: -len(PICKLE)] for name in members if _is_member(name, PICKLE)), None)
    if root is None:
        raise refusal(file.path, "a PyTorch checkpoint") or DamagedError(
            f"the zip archive has no {PICKLE}", file.path
        )
    data = f"{root}data/"
    content = _read_pickle(file, members[f"{root}{PICKLE}"])
    order = members.get(f"{root}byteorder")
    return Archive(
        file.path,
        (file.start, file.size),
        content,
        _values(file, members[f"{root}{PICKLE}"], content),
        {name[len(data) :]: each for name, each in members.items() if name.startswith(data)},
        tuple(each for name, each in members.items() if not name.startswith(data)),
        order is not None and file.read(order.start, min(order.size, 3)) == b"big",
    )


def _is_member(name: str, wanted: str) -> bool:
    """Return whether a member has a name in the folder of the archive, or in none."""
    return name.rpartition("/")[2] == wanted and name.count("/") <= 1


def _must_match(file: File, member: Member, crc: int, tensor: str | None = None) -> None:
    """Raise if a checksum is not the one in the archive, if that has one."""
    if member.crc not in (0, crc):
        what = f"the checksum of {member.name} in the archive does not match"
        raise WrongChecksumError(what, file.path, file.start + member.start, tensor)


def _members(file: File) -> dict[str, Member]:
    found: dict[str, zipfile.ZipInfo] = {}
    try:
        with zip_members.opened(file) as archive:
            if any(_is_member(name, _SCRIPT) for name in archive.namelist()):
                raise NotReadableError(_OF_SCRIPT, file.path, remedy=_SAVE_STATE)
            for info in archive.infolist():
                zip_members.must_be_plain(file, info, found, "PyTorch")
                found[info.filename] = info
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, OSError) as error:
        is_zip = file.read(0, min(file.size, 4)) == ZIP
        what = f"the zip archive is truncated or corrupt: {error}"
        other = None if is_zip else refusal(file.path, "a PyTorch checkpoint")
        raise other or DamagedError(what, file.path) from None
    return {
        name: Member(name, zip_members.start_of(file, info), info.file_size, info.CRC)
        for name, info in found.items()
    }


def _read_pickle(file: File, member: Member) -> Any:
    """Return what the pickle holds, as data.

    Raises:
        DamagedError: it is damaged, or larger than any checkpoint needs.
    """
    start = file.start + member.start
    if member.size > MOST_BYTES:
        what = f"{member.name} has {member.size:,} bytes, too many for a description of tensors"
        raise DamagedError(what, file.path, start)
    content = file.read(member.start, member.size)
    _must_match(file, member, zlib.crc32(content))
    return loaded(content, file.path, start)


def loaded(content: bytes, path: Path, start: int = 0) -> Any:
    """Return what a pickle holds, as data; `start` is where it begins in the file.

    Raises:
        DamagedError: it is damaged, or larger than any checkpoint needs.
    """
    try:
        return load(content)
    except PickleError as error:
        raise DamagedError(error.what, path, start + error.offset) from None


def _values(file: File, member: Member, content: Any) -> tuple[Found, ...]:
    try:
        return tuple(values(content))
    except TooMuchError as error:
        raise NotReadableError(f"what {member.name} describes: {error}", file.path) from None
    except ImpossibleError as error:
        what = f"what {member.name} describes cannot be: {error}"
        raise DamagedError(what, file.path, file.start + member.start) from None
