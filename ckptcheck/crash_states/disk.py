"""A folder as a file system holds it: names, and the files they name."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ckptcheck.crash_states import contents
from ckptcheck.crash_states.contents import EMPTY, Content, Source
from ckptcheck.crash_states.operations import Act, Operation

# How many symbolic links one path may pass.
_MOST_LINKS = 40


@dataclass(frozen=True, slots=True)
class Node:
    """A file, a folder or a symbolic link.

    Attributes:
        content: the bytes of a file; None: it is none.
        link: the text of a symbolic link; None: it is none.
        durable: the bytes of a file that survive a power failure.
    """

    content: Content | None = None
    link: str | None = None
    durable: Content = EMPTY

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.content is None and self.link is None

    @property
    def is_durable(self) -> bool:
        """Whether all its bytes survive a power failure."""
        return self.content is None or self.content == self.durable


FOLDER = Node()
# What a folder holds, by path.
Tree = dict[str, Node]
# Returns the bytes of a write, of which the node and the offset are known.
Written = Callable[[int, Operation, int, int], Content]
# Returns what came from outside the folder, as a tree below its new name.
Arrived = Callable[[int, Operation], Tree]


def tree(folder: Path, source: Source) -> Tree:
    """Return what a folder holds."""
    found: Tree = {}
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            node = _node(path, str(path.relative_to(folder)), source)
            if node is not None:
                found[str(path.relative_to(folder))] = node
    return dict(sorted(found.items()))


def _node(path: Path, name: str, source: Source) -> Node | None:
    if path.is_symlink():
        return Node(link=os.fspath(path.readlink()))
    if path.is_dir():
        return FOLDER
    if path.is_file():
        content = contents.of_file(source, name, path.stat().st_size)
        return Node(content, durable=content)
    return None


@dataclass
class Disk:
    """A folder that takes operations.

    Attributes:
        names: the number of the node at each path.
        nodes: the nodes, among them those of deleted files that are still open.
        handles: the number of the node behind each open file.
    """

    names: dict[str, int] = field(default_factory=dict)
    nodes: dict[int, Node] = field(default_factory=dict)
    handles: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, base: Tree) -> "Disk":
        """Return a folder that holds a tree, with each file as durable as can be."""
        return cls(
            {path: number for number, path in enumerate(base, start=1)},
            dict(enumerate(base.values(), start=1)),
        )

    def tree(self) -> Tree:
        """Return what the folder holds, by path."""
        return {path: self.nodes[number] for path, number in self.names.items()}

    def durable(self) -> Tree:
        """Return what the folder holds if all names reached the disk, and no bytes but synced."""
        return {
            path: node if node.is_durable else replace(node, content=node.durable)
            for path, node in self.tree().items()
        }

    def apply(self, index: int, operation: Operation, written: Written, arrived: Arrived) -> None:
        """Do an operation, which is the one with that index."""
        path = self._resolved(operation.path)
        act = operation.act
        if act in (Act.CREATE, Act.OPEN):
            self._open(path, operation)
        elif act is Act.WRITE:
            self._write(index, operation, written)
        elif act in (Act.TRUNCATE, Act.EXTEND):
            self._resize(operation)
        elif act is Act.SYNC:
            self._sync(operation)
        elif act is Act.ARRIVE:
            self._remove(path)
            for name, node in arrived(index, operation).items():
                durable = node.durable if operation.is_synced else EMPTY
                self._add(os.path.normpath(f"{path}/{name}"), replace(node, durable=durable))
        else:
            self._rename_or_link(path, operation)

    def _rename_or_link(self, path: str, operation: Operation) -> None:
        act = operation.act
        if act is Act.MKDIR:
            self._add(path, FOLDER)
        elif act is Act.SYMLINK:
            self._add(path, Node(link=operation.target))
        elif act in (Act.UNLINK, Act.RMDIR):
            self._remove(path)
        elif act is Act.LINK and path in self.names:
            self.names[self._resolved(operation.target)] = self.names[path]
        elif act is Act.RENAME:
            self._rename(path, self._resolved(operation.target))
        elif act is Act.EXCHANGE:
            self._exchange(path, self._resolved(operation.target))

    # Names

    def _resolved(self, path: str, *, follows: bool = False) -> str:
        """Return a path without symbolic links in it; the last name may stay one."""
        for _ in range(_MOST_LINKS):
            if not path:
                return path
            parts = path.split("/")
            heads = ["/".join(parts[:end]) for end in range(1, len(parts) + follows)]
            link = next((head for head in heads if self._link(head) is not None), None)
            if link is None:
                return path
            start, rest = link.rpartition("/")[0], path[len(link) + 1 :]
            path = os.path.normpath(f"{start or '.'}/{self._link(link)}/{rest or '.'}")
        return path

    def _link(self, path: str) -> str | None:
        number = self.names.get(path)
        return None if number is None else self.nodes[number].link

    def _add(self, path: str, node: Node) -> int:
        number = len(self.nodes) + 1
        self.nodes[number] = node
        if path and path != ".":
            self.names[path] = number
        return number

    def _below(self, path: str) -> dict[str, int]:
        """Return what a path names, and all that is below it."""
        return {
            name: number
            for name, number in self.names.items()
            if name == path or name.startswith(f"{path}/")
        }

    def _remove(self, path: str) -> dict[str, int]:
        gone = self._below(path)
        for name in gone:
            del self.names[name]
        return gone

    def _rename(self, path: str, target: str) -> None:
        # Two names of one file stay as they are.
        if path not in self.names or self.names[path] == self.names.get(target):
            return
        moved = self._remove(path)
        self._remove(target)
        self.names.update((target + name[len(path) :], number) for name, number in moved.items())

    def _exchange(self, path: str, target: str) -> None:
        one, other = self._remove(path), self._remove(target)
        self.names.update((target + name[len(path) :], number) for name, number in one.items())
        self.names.update((path + name[len(target) :], number) for name, number in other.items())

    # Bytes

    def _open(self, path: str, operation: Operation) -> None:
        path = self._resolved(path, follows=True)
        number = self.names.get(path)
        if number is None:
            number = self._add(path, Node(EMPTY))
        self.handles[operation.handle] = number

    def _number(self, operation: Operation) -> int:
        """Return the node that an operation goes to, which may have been deleted before."""
        if operation.handle in self.handles:
            return self.handles[operation.handle]
        number = self.names.get(self._resolved(operation.path, follows=True))
        if number is None:
            number = self._add("", Node(EMPTY))
        if operation.handle > 0:
            self.handles[operation.handle] = number
        return number

    def _write(self, index: int, operation: Operation, written: Written) -> None:
        number = self._number(operation)
        node = self.nodes[number]
        content = node.content or EMPTY
        offset = contents.size(content) if operation.offset is None else operation.offset
        new = written(index, operation, number, offset)
        self.nodes[number] = replace(node, content=contents.overwritten(content, offset, new))

    def _resize(self, operation: Operation) -> None:
        """Change the size of a file, which is metadata: it survives as names do."""
        number = self._number(operation)
        node = self.nodes[number]
        content, size = node.content or EMPTY, operation.size
        if operation.act is Act.EXTEND and contents.size(content) >= size:
            return
        self.nodes[number] = Node(
            contents.resized(content, size), durable=contents.resized(node.durable, size)
        )

    def _sync(self, operation: Operation) -> None:
        numbers = list(self.nodes) if operation.handle < 0 else [self._number(operation)]
        for number in numbers:
            node = self.nodes[number]
            if node.content is not None:
                self.nodes[number] = replace(node, durable=node.content)
