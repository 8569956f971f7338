"""Reads contents, and knows them again: contents of equal bytes have equal digests."""

from collections.abc import Iterator
from pathlib import Path

import xxhash

from ckptcheck.crash_states import contents
from ckptcheck.crash_states.contents import Content, Piece, Source

# Equal contents are found by the digests of their blocks. A write changes few blocks of a large
# file, and the digests of the others are kept.
BLOCK = 1 << 20


class FileBytes:
    """The bytes behind contents.

    Args:
        base: the folder before the save.
        after: the folder after the save.
    """

    def __init__(self, base: Path, after: Path) -> None:
        self._folders = {Source.BASE: base, Source.AFTER: after, Source.UNKNOWN: after}
        self._of_blocks: dict[Content, bytes] = {}
        self._of_contents: dict[Content, bytes] = {}

    def blocks(self, content: Content) -> Iterator[bytes]:
        """Yield the bytes of a content, block by block."""
        for block in contents.blocks(content, BLOCK):
            yield b"".join(self._read(piece) for piece in block)

    def digest(self, content: Content) -> bytes:
        """Return a digest of a content, its size included."""
        if content not in self._of_contents:
            whole = xxhash.xxh3_128()
            for block in contents.blocks(content, BLOCK):
                whole.update(self._block_digest(block))
            whole.update(str(contents.size(content)).encode())
            self._of_contents[content] = whole.digest()
        return self._of_contents[content]

    def is_equal(self, content: Content, other: Content) -> bool:
        """Return whether two contents have the same bytes."""
        if content == other:
            return True
        return contents.size(content) == contents.size(other) and (
            self.digest(content) == self.digest(other)
        )

    def is_prefix(self, content: Content, whole: Content) -> bool:
        """Return whether a content is how a larger one begins."""
        size = contents.size(content)
        return size < contents.size(whole) and self.is_equal(content, contents.part(whole, 0, size))

    def first_difference(self, content: Content, other: Content) -> int | None:
        """Return the offset of the first byte that differs; None: there is none."""
        at = 0
        for one, two in zip(self.blocks(content), self.blocks(other), strict=True):
            if one != two:
                return at + next(i for i, (x, y) in enumerate(zip(one, two, strict=True)) if x != y)
            at += len(one)
        return None

    def _block_digest(self, block: Content) -> bytes:
        if block not in self._of_blocks:
            digest = xxhash.xxh3_128(b"".join(self._read(piece) for piece in block)).digest()
            self._of_blocks[block] = digest
        return self._of_blocks[block]

    def _read(self, piece: Piece) -> bytes:
        if piece.source is Source.LOG:
            return piece.data
        if piece.source is Source.ZEROS or not piece.path:
            return bytes(piece.size)
        with (self._folders[piece.source] / piece.path).open("rb") as file:
            file.seek(piece.offset)
            return file.read(piece.size)
