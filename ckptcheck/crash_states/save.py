"""A save: the operations between two copies of a folder, and the bytes that they write.

Most bytes of a save are in the folder after it: a write that nothing overwrites stands there as it
was written. What is overwritten or deleted before the end of the save is taken from the log.

Two names of one file before the save are taken for two files, as they are in a copy of the folder.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ckptcheck.crash_states import contents
from ckptcheck.crash_states.contents import EMPTY, Content, Piece, Source
from ckptcheck.crash_states.disk import Disk, Node, Tree, tree
from ckptcheck.crash_states.file_bytes import FileBytes
from ckptcheck.crash_states.operations import Act, Operation
from ckptcheck.errors import NotVerifiedError

# A file from outside that is gone after the save.
_UNKNOWN = Node(content=(Piece(0, Source.UNKNOWN),), durable=(Piece(0, Source.UNKNOWN),))


@dataclass(frozen=True, slots=True)
class _Kept:
    """A part of a write that stands in the folder after the save.

    Attributes:
        start: where it begins in the write.
        size: its size, in bytes.
        path: the file that holds it.
        offset: where it begins in that file.
    """

    start: int
    size: int
    path: str
    offset: int


@dataclass
class Save:
    """The operations of a save.

    Args:
        base: the folder before the save.
        after: the folder after the save.
        operations: what was done in between.

    Attributes:
        bytes: reads the files of both folders.
        before: what the folder held before.
        afterwards: what the folder held after the save.
    """

    base: Path
    after: Path
    operations: Sequence[Operation]
    bytes: FileBytes = field(init=False)
    before: Tree = field(init=False)
    afterwards: Tree = field(init=False)
    _kept: dict[int, list[_Kept]] = field(init=False, default_factory=dict)
    _paths: dict[int, str] = field(init=False, default_factory=dict)
    _arrivals: dict[int, Tree] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.bytes = FileBytes(self.base, self.after)
        self.before = tree(self.base, Source.BASE)
        self.afterwards = tree(self.after, Source.AFTER)
        if any(operation.act is Act.ARRIVE for operation in self.operations):
            self._find_arrivals()
        self._find_kept()

    def disk(self) -> Disk:
        """Return the folder before the save, which takes the operations."""
        return Disk.of(self.before)

    def do(self, disk: Disk, index: int, most: int | None = None) -> None:
        """Do an operation; of a write, at most so many bytes."""

        def written(index: int, operation: Operation, number: int, offset: int) -> Content:
            new = self._written(index, operation, number, offset)
            return new if most is None else contents.part(new, 0, most)

        disk.apply(index, self.operations[index], written, self._arrived)

    def final(self) -> Disk:
        """Return the folder after all operations."""
        disk = self.disk()
        for index in range(len(self.operations)):
            self.do(disk, index)
        return disk

    def check(self) -> None:
        """Raise an error unless the operations make the folder after the save."""
        found = self.final().tree()
        for path in sorted({*found, *self.afterwards}):
            why = self._difference(found.get(path), self.afterwards.get(path))
            if why:
                raise _unexplained(path, why)
        for index, kept in self._kept.items():
            for each in kept:
                if not self._is_as_logged(self.operations[index], each):
                    raise _unexplained(each.path, "a write in the log has other bytes")

    # The bytes

    def _written(self, index: int, operation: Operation, number: int, offset: int) -> Content:
        """Return the bytes of a write, from the folder after the save, the log, or neither."""
        pieces: list[Piece] = []
        at = 0
        for each in self._kept.get(index, []):
            pieces += self._lost(operation, number, offset, at, each.start)
            pieces.append(Piece(each.size, Source.AFTER, each.path, each.offset))
            at = each.start + each.size
        pieces += self._lost(operation, number, offset, at, operation.size)
        return contents.joined(pieces)

    def _lost(
        self, operation: Operation, number: int, offset: int, start: int, stop: int
    ) -> Content:
        """Return a part of a write that is overwritten or deleted before the end of the save."""
        pieces: list[Piece] = []
        known = min(stop, len(operation.data))
        if start < known:
            pieces.append(Piece(known - start, Source.LOG, data=operation.data[start:known]))
        start = max(start, known)
        if start < stop:
            path = self._paths.get(number, "")
            content = self.afterwards[path].content if path in self.afterwards else None
            is_there = offset + stop <= contents.size(content or EMPTY)
            guess = (path, offset + start) if is_there else ("", 0)
            pieces.append(Piece(stop - start, Source.UNKNOWN, *guess))
        return tuple(pieces)

    def _arrived(self, index: int, _: Operation) -> Tree:
        return self._arrivals.get(index, {"": _UNKNOWN})

    # What becomes of writes and arrivals

    def _rehearse(self, look: Callable[[int, Disk], None]) -> Disk:
        """Do all operations with writes of which only the number is known."""
        disk = self.disk()

        def written(index: int, operation: Operation, number: int, offset: int) -> Content:
            return (Piece(operation.size, Source.WRITE, number=index),) if operation.size else EMPTY

        for index, operation in enumerate(self.operations):
            disk.apply(index, operation, written, self._arrived)
            look(index, disk)
        return disk

    def _find_arrivals(self) -> None:
        """Find what came from outside by where it is after the save."""
        numbers: dict[int, int] = {}

        def look(index: int, disk: Disk) -> None:
            operation = self.operations[index]
            if operation.act is Act.ARRIVE and operation.path in disk.names:
                numbers[index] = disk.names[operation.path]

        paths = _paths(self._rehearse(look))
        for index, number in numbers.items():
            if paths.get(number) in self.afterwards:
                self._arrivals[index] = _below(self.afterwards, paths[number])

    def _find_kept(self) -> None:
        """Find which bytes of each write are in the folder after the save."""
        disk = self._rehearse(lambda index, disk: None)
        self._paths = _paths(disk)
        kept: dict[int, list[_Kept]] = defaultdict(list)
        for path, node in disk.tree().items():
            at = 0
            for piece in node.content or EMPTY:
                if piece.source is Source.WRITE and self._holds(path, at + piece.size):
                    kept[piece.number].append(_Kept(piece.offset, piece.size, path, at))
                at += piece.size
        self._kept = {index: _disjoint(each) for index, each in kept.items()}

    def _holds(self, path: str, size: int) -> bool:
        node = self.afterwards.get(path)
        return node is not None and size <= contents.size(node.content or EMPTY)

    # The check

    def _difference(self, found: Node | None, after: Node | None) -> str:
        """Return how a file of the operations differs from the one after the save."""
        if found is None:
            return "it is there after the save, but nothing in the log makes it"
        if after is None:
            return "it is not there after the save, but nothing in the log deletes it"
        if found.link != after.link or found.is_folder != after.is_folder:
            return "it is of a different type after the save"
        if found.content is None or after.content is None:
            return ""
        sizes = contents.size(found.content), contents.size(after.content)
        if sizes[0] != sizes[1]:
            return f"it has {sizes[1]:,} bytes after the save, but {sizes[0]:,} by the log"
        at = self.bytes.first_difference(found.content, after.content)
        return "" if at is None else f"its byte {at:,} is not in the log as it is after the save"

    def _is_as_logged(self, operation: Operation, kept: _Kept) -> bool:
        logged = operation.data[kept.start : kept.start + kept.size]
        place = contents.of_file(Source.AFTER, kept.path, len(logged), kept.offset)
        return b"".join(self.bytes.blocks(place)) == logged


def _unexplained(path: str, why: str) -> NotVerifiedError:
    return NotVerifiedError(
        f"The log of file operations does not explain {path!r}: {why}. "
        "Writes through mmap or io_uring, and of processes that are not traced, are not in the log."
    )


def _paths(disk: Disk) -> dict[int, str]:
    """Return a path of each node that has one."""
    return {number: path for path, number in reversed(disk.names.items())}


def _below(whole: Tree, path: str) -> Tree:
    """Return what a path names and all below it, as a tree of its own."""
    return {
        name[len(path) :].lstrip("/"): node
        for name, node in whole.items()
        if name == path or name.startswith(f"{path}/")
    }


def _disjoint(kept: list[_Kept]) -> list[_Kept]:
    """Return parts of a write in order, each once; a file of two names has them twice."""
    found: list[_Kept] = []
    for each in sorted(kept, key=lambda each: (each.start, each.path)):
        if not found or each.start >= found[-1].start + found[-1].size:
            found.append(each)
    return found
