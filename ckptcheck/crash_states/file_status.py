"""How each file of a crash state stands against the same file before and after the save."""

import enum
import re

from ckptcheck.crash_states import contents
from ckptcheck.crash_states.contents import Content, Source
from ckptcheck.crash_states.disk import Node, Tree
from ckptcheck.crash_states.file_bytes import FileBytes


class Status(enum.Enum):
    """What is left of a file.

    NEW is whole, as the save makes it; OLD is as before the save. PARTIAL has some of the new
    bytes and none of the old; OTHER mixes both.
    """

    ABSENT = "absent"
    EMPTY = "empty"
    PARTIAL = "partial"
    OLD = "old"
    NEW = "new"
    OTHER = "other"


# What is different in the temporary names of each save: what `tempfile` and others write behind
# `tmp`, hexadecimal numbers, and numbers.
_CHANGING = re.compile(
    r"(?<=tmp)[a-z0-9_]{8}(?![0-9A-Za-z_])"
    r"|(?<=tmp)(?=[a-z]*[0-9A-Z])[0-9A-Za-z]{6,}"
    r"|(?<![0-9A-Za-z])[0-9a-f]{6,}(?![0-9A-Za-z])|\d+"
)


class Statuses:
    """Tells the status of files.

    Args:
        reader: reads the bytes of contents.
        before: what the folder held before the save.
        after: what the folder held after the save.
        touched: the files that the save writes, be it with the bytes they had.
    """

    def __init__(
        self, reader: FileBytes, before: Tree, after: Tree, touched: frozenset[str]
    ) -> None:
        self._bytes, self._before, self._after = reader, before, after
        self._known: dict[tuple[str, Node, Content | None], Status] = {}
        self._unchanged = {
            path
            for path, node in before.items()
            if path in after and path not in touched and self._is_equal(node, after[path])
        }

    def of(self, state: Tree, whole: dict[str, Content | None]) -> dict[str, Status]:
        """Return the status of each file that the save changes or leaves, by path.

        Args:
            state: what the folder holds.
            whole: what each file holds when the save is done with it, whatever its name is then.
        """
        found: dict[str, Status] = {}
        untouched = {path for path in self._unchanged if state.get(path) is self._before[path]}
        for path in sorted({*state, *self._before, *self._after} - untouched):
            status = self._status(path, state.get(path), whole.get(path))
            node = state.get(path) or self._after.get(path) or self._before[path]
            if status is not Status.NEW or path not in self._unchanged:
                _add(found, self._name(path) + "/" * node.is_folder, status)
        return found

    def _status(self, path: str, node: Node | None, whole: Content | None) -> Status:
        if node is None:
            return Status.ABSENT
        key = path, node, whole
        if key not in self._known:
            self._known[key] = self._found(path, node, whole)
        return self._known[key]

    def _found(self, path: str, node: Node, whole: Content | None) -> Status:
        before, after = self._before.get(path), self._after.get(path)
        if after is not None and self._is_equal(node, after):
            return Status.NEW
        if before is not None and self._is_equal(node, before):
            return Status.OLD
        if node.content is None:
            return Status.NEW if before is None and after is None else Status.OTHER
        if whole is not None and self._bytes.is_equal(node.content, whole):
            return Status.NEW
        return self._of_bytes(node.content, after, whole)

    def _of_bytes(self, content: Content, after: Node | None, whole: Content | None) -> Status:
        if not contents.size(content):
            return Status.EMPTY
        goals = [whole, after.content if after else None]
        if any(goal is not None and self._bytes.is_prefix(content, goal) for goal in goals):
            return Status.PARTIAL
        is_old = any(piece.source is Source.BASE for piece in content)
        return Status.OTHER if is_old else Status.PARTIAL

    def _is_equal(self, node: Node, other: Node) -> bool:
        if node.content is None or other.content is None:
            return (node.link, node.is_folder) == (other.link, other.is_folder)
        return self._bytes.is_equal(node.content, other.content)

    def _name(self, path: str) -> str:
        """Return a path, without what is different in each save if it is a temporary one."""
        head, slash, name = path.rpartition("/")
        if not path or path in self._before or path in self._after:
            return path
        return self._name(head) + slash + _CHANGING.sub("*", name)


def _add(found: dict[str, Status], name: str, status: Status) -> None:
    """Add a status; of a second temporary file of one name, under a name of its own."""
    count = 1
    each = name
    while each in found:
        count += 1
        each = f"{name} ({count})"
    found[each] = status
