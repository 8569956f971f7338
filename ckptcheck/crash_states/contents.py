"""The bytes of a file as pieces of other files: what it holds, without holding it.

A crash state is made of parts of the folder before the save, parts of the folder after it, and few
bytes of the log. A content is a tuple of such pieces, one behind the other.
"""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace


class Source(enum.Enum):
    """Where the bytes of a piece are.

    WRITE is a write that is not yet looked up; UNKNOWN bytes are overwritten before the end of the
    save and not in the log: a piece with a path guesses them from the file after the save, one
    without holds zeros.
    """

    BASE = "base"
    AFTER = "after"
    LOG = "log"
    ZEROS = "zeros"
    WRITE = "write"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of a file.

    Attributes:
        size: how many.
        source: where they are.
        path: the file that holds them, in the folder before or after the save.
        offset: where they begin in that file, or in that write.
        data: the bytes of the LOG.
        number: the number of the WRITE.
    """

    size: int
    source: Source
    path: str = ""
    offset: int = 0
    data: bytes = b""
    number: int = 0

    def part(self, start: int, stop: int) -> "Piece":
        """Return the bytes from `start` to `stop` of this piece."""
        if start == 0 and stop == self.size:
            return self
        if self.source is Source.LOG:
            return replace(self, size=stop - start, data=self.data[start:stop])
        if self.source is Source.ZEROS or (self.source is Source.UNKNOWN and not self.path):
            return replace(self, size=stop - start)
        return replace(self, size=stop - start, offset=self.offset + start)

    def joined(self, other: "Piece") -> "Piece | None":
        """Return both pieces as one; None: they are not neighbours."""
        is_same = (self.source, self.path, self.number) == (other.source, other.path, other.number)
        if not is_same or self.source is Source.LOG:
            return None
        is_placeless = self.source is Source.ZEROS or (
            self.source is Source.UNKNOWN and not self.path
        )
        if is_placeless or self.offset + self.size == other.offset:
            return replace(self, size=self.size + other.size)
        return None


Content = tuple[Piece, ...]
EMPTY: Content = ()


def size(content: Content) -> int:
    """Return the size of a content, in bytes."""
    return sum(piece.size for piece in content)


def zeros(count: int) -> Content:
    """Return that many zeros."""
    return (Piece(count, Source.ZEROS),) if count else EMPTY


def of_file(source: Source, path: str, count: int, offset: int = 0) -> Content:
    """Return a part of a file of the folder before or after the save."""
    return (Piece(count, source, path, offset),) if count else EMPTY


def part(content: Content, start: int, stop: int) -> Content:
    """Return the bytes from `start` to `stop`, or to the end of the content."""
    found = []
    at = 0
    for piece in content:
        low, high = max(start - at, 0), min(stop - at, piece.size)
        if low < high:
            found.append(piece.part(low, high))
        at += piece.size
        if at >= stop:
            break
    return tuple(found)


def resized(content: Content, count: int) -> Content:
    """Return a content cut, or filled with zeros, to a size."""
    have = size(content)
    if have >= count:
        return part(content, 0, count)
    return joined((*content, *zeros(count - have)))


def overwritten(content: Content, offset: int, new: Content) -> Content:
    """Return a content with other bytes from an offset on."""
    have, stop = size(content), offset + size(new)
    if offset >= have:
        head: Iterable[Piece] = (*content, *zeros(offset - have))
        return joined((*head, *new))
    return joined((*part(content, 0, offset), *new, *part(content, stop, max(have, stop))))


def joined(pieces: Iterable[Piece]) -> Content:
    """Return pieces with neighbours as one."""
    found: list[Piece] = []
    for piece in pieces:
        both = found[-1].joined(piece) if found else None
        if both is None:
            found.append(piece)
        else:
            found[-1] = both
    return tuple(found)


def blocks(content: Content, count: int) -> Iterator[Content]:
    """Yield a content in blocks of a size; the last one may be smaller."""
    block: list[Piece] = []
    room = count
    for piece in content:
        at = 0
        while at < piece.size:
            take = min(room, piece.size - at)
            block.append(piece.part(at, at + take))
            at, room = at + take, room - take
            if room == 0:
                yield tuple(block)
                block, room = [], count
    if block:
        yield tuple(block)
