"""Where the members of a zip archive lie in its file: stored as they are, not compressed."""

import io
import zipfile
from collections.abc import Container
from typing import Any

from ckptcheck.checkpoints.errors import DamagedError, NotReadableError
from ckptcheck.checkpoints.reader import File
from ckptcheck.text_safety import shown


class _Opened(io.RawIOBase):
    """A file, or a part of one, as `zipfile` reads it."""

    def __init__(self, file: File) -> None:
        self._file, self._at = file, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        if start + offset < 0:
            raise ValueError("a place before the start of the file")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        count = max(0, min(len(buffer), self._file.size - self._at))
        buffer[:count] = self._file.read(self._at, count)
        self._at += count
        return count


def opened(file: File) -> zipfile.ZipFile:
    """Open a zip archive that is a file, or a part of one; raises what `zipfile` does."""
    return zipfile.ZipFile(io.BufferedReader(_Opened(file)))


def must_be_plain(file: File, member: zipfile.ZipInfo, before: Container[str], writer: str) -> None:
    """Refuse a member that the writer never writes, or that claims more bytes than the file has."""
    name = shown(member.filename)
    if member.filename in before:
        raise DamagedError(f"the archive holds {name} twice", file.path)
    if member.compress_type != zipfile.ZIP_STORED:
        raise NotReadableError(
            f"{name} in the archive is compressed, which {writer} never does",
            file.path,
            remedy="zip it again without compression",
        )
    file.must_hold(member.header_offset, max(member.compress_size, member.file_size))


def start_of(file: File, member: zipfile.ZipInfo) -> int:
    """Return the offset of a member's bytes, behind its header and the names that follow."""
    head = file.read(member.header_offset, 30)
    lengths = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    start = member.header_offset + 30 + lengths
    file.must_hold(start, member.file_size)
    return start
