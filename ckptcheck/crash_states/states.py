"""The states that a process killed in the middle of a save leaves behind.

A process that is killed leaves what its operations so far have made: its writes are in the page
cache, which survives it. Each prefix of the operations is such a state, and so is each prefix with
half of the next write, which a signal may interrupt.

A machine that loses power leaves less. The model is that of ext4 with delayed allocation and an
ordered journal, as in T. S. Pillai et al., "All File Systems Are Not Created Equal: On the
Complexity of Crafting Crash-Consistent Applications" (OSDI 2014, the tool ALICE):

- Names and sizes set by truncation are metadata. The journal commits them in their order, all at
  once: at each `fsync` of anything, and every few seconds.
- Written bytes reach the disk at the `fsync` of their file. Until then, they may be missing where
  the names are on disk: a new, truncated or appended file then has the size of its last `fsync` or
  truncation, and a file written in place has its old bytes.

Of all the states this allows, two are yielded after each operation on names, and after the save:
all names with only the synced bytes, and only what the last `fsync` committed. States in which some
unsynced bytes are on disk and others are not are left out. `ext4` flushes a file that is renamed
over another or truncated to nothing before it is closed (`auto_da_alloc`); others, and ext4 without
that option, do not.
"""

import enum
import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ckptcheck.crash_states.contents import Content, Source
from ckptcheck.crash_states.disk import Disk, Node, Tree
from ckptcheck.crash_states.file_bytes import FileBytes
from ckptcheck.crash_states.file_status import Status, Statuses
from ckptcheck.crash_states.operations import SILENT, Act, Operation
from ckptcheck.crash_states.save import Save
from ckptcheck.crash_states.sentences import committed, done_so_far, half_done, unsynced

# A write larger than this may also stop at its first byte.
_LARGE = 1 << 20
# After these, a power failure is looked at.
_NAMES = frozenset((Act.RENAME, Act.EXCHANGE, Act.LINK, Act.SYMLINK, Act.UNLINK, Act.ARRIVE))

# They have two paths.
_TWO = frozenset((Act.RENAME, Act.EXCHANGE, Act.LINK))


class Family(enum.Enum):
    """How a crash state comes about: a kill between two operations, in a write, or a power loss."""

    PREFIX = "prefix"
    HALF = "half"
    UNSYNCED = "unsynced"


@dataclass(frozen=True)
class CrashState:
    """What a folder holds after a crash.

    Attributes:
        number: counts the states of a save, from 1.
        description: how it comes about, in a few words.
        family: how it comes about.
        done: how many operations were done.
        statuses: the status of each file that the save changes, by path.
        is_exact: whether all its bytes are known.
        tree: what the folder holds.
        base: the folder before the save.
        after: the folder after the save.
    """

    number: int
    description: str
    family: Family
    done: int
    statuses: Mapping[str, Status]
    is_exact: bool
    tree: Tree
    base: Path
    after: Path

    @property
    def kind(self) -> tuple[tuple[str, str], ...]:
        """What alike states have in common."""
        return tuple((path, status.value) for path, status in self.statuses.items())


def crash_states(
    base: Path, after: Path, operations: Sequence[Operation], *, apart: bool = False
) -> Iterator[CrashState]:
    """Yield the crash states of a save, each once, in the order of its operations.

    Args:
        base: the folder before the save.
        after: the folder after the save.
        operations: what was done in between.
        apart: whether what a power failure leaves is yielded even if a kill leaves the same.

    Raises:
        NotVerifiedError: The operations do not make `after` of `base`.
    """
    save = Save(base, after, operations)
    save.check()
    numbered = _Numbered(save, apart)
    for found in _found(save):
        state = numbered.state(found)
        if state is not None:
            yield state


def write(state: CrashState, folder: Path) -> None:
    """Make a folder as it is in a crash state; it may not exist, or must be empty.

    Whole files and folders keep their times of change, by which programs find the latest one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reader = FileBytes(state.base, state.after)
    for path, node in sorted(state.tree.items()):
        place = folder / path
        if node.link is not None:
            place.symlink_to(node.link)
        elif node.content is None:
            place.mkdir(exist_ok=True)
        else:
            _write_file(state, reader, node.content, place)
    for path in sorted(state.tree, reverse=True):  # a folder after what is in it
        if state.tree[path].is_folder:
            _keep_time(state, path, folder / path)


def _keep_time(state: CrashState, path: str, place: Path) -> None:
    for source in (state.after / path, state.base / path):
        if source.is_dir() and not source.is_symlink():
            shutil.copystat(source, place)
            return


def _write_file(state: CrashState, reader: FileBytes, content: Content, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    source = _source(state, content)
    if source is not None:
        shutil.copy2(source, place)
        return
    with place.open("wb") as file:
        file.writelines(reader.blocks(content))


def _source(state: CrashState, content: Content) -> Path | None:
    """Return the file that holds exactly these bytes, before or after the save."""
    if len(content) != 1 or content[0].offset:
        return None
    folders = {Source.BASE: state.base, Source.AFTER: state.after}
    folder = folders.get(content[0].source)
    if folder is None:
        return None
    path = folder / content[0].path
    return path if path.stat().st_size == content[0].size else None


@dataclass(frozen=True)
class _Found:
    """A state that may be equal to an earlier one.

    Attributes:
        description: how it comes about.
        family: how it comes about.
        done: how many operations were done.
        tree: what the folder holds.
        numbers: the number of the node at each path.
    """

    description: str
    family: Family
    done: int
    tree: Tree
    numbers: Mapping[str, int]


def _found(save: Save) -> Iterator[_Found]:
    disk = save.disk()
    total = len(save.operations)
    synced = disk.durable(), dict(disk.names)
    is_synced = False
    for index, operation in enumerate(save.operations):
        yield from _halves(save, disk, index)
        save.do(disk, index)
        if operation.act is Act.SYNC:
            synced, is_synced = (disk.durable(), dict(disk.names)), True
        if operation.act not in SILENT:
            text = done_so_far(operation, index + 1, total)
            yield _Found(text, Family.PREFIX, index + 1, disk.tree(), dict(disk.names))
        if operation.act in _NAMES or index + 1 == total:
            lost = _lost(disk)
            if lost:
                text = unsynced(lost, index + 1, total)
                yield _Found(text, Family.UNSYNCED, index + 1, disk.durable(), dict(disk.names))
            text = committed(index + 1, total, is_synced)
            yield _Found(text, Family.UNSYNCED, index + 1, *synced)


def _halves(save: Save, disk: Disk, index: int) -> Iterator[_Found]:
    """Yield the states in the middle of an operation, if it is a write."""
    operation = save.operations[index]
    if operation.act is not Act.WRITE or operation.size < 2:
        return
    for count in (*([1] if operation.size > _LARGE else []), operation.size // 2):
        half = Disk(dict(disk.names), dict(disk.nodes), dict(disk.handles))
        save.do(half, index, count)
        text = half_done(operation, count, index, len(save.operations))
        yield _Found(text, Family.HALF, index, half.tree(), half.names)


def _lost(disk: Disk) -> list[str]:
    """Return the files with bytes that a power failure would take."""
    return [path for path, node in sorted(disk.tree().items()) if not node.is_durable]


def _touched(save: Save) -> frozenset[str]:
    """Return the files that a save writes or names."""
    return frozenset(
        path
        for operation in save.operations
        if operation.act not in (*SILENT, Act.CREATE)
        for path in (operation.path, *([operation.target] if operation.act in _TWO else []))
    )


def _is_exact(tree: Tree) -> bool:
    """Return whether all bytes are known."""
    return not any(
        piece.source is Source.UNKNOWN for node in tree.values() for piece in node.content or ()
    )


class _Numbered:
    """Makes states of what is found.

    Leaves out a state that is equal to an earlier one, and what a process leaves that is killed
    before it has changed anything.
    """

    def __init__(self, save: Save, apart: bool) -> None:
        self._save, self._apart = save, apart
        self._whole = {number: node.content for number, node in save.final().nodes.items()}
        self._statuses = Statuses(save.bytes, save.before, save.afterwards, _touched(save))
        self._rows: dict[str, tuple[Node, bytes]] = {}
        self._base = self._digest(save.before)
        self._seen: set[tuple[bytes, bool, bool]] = set()

    def state(self, found: _Found) -> CrashState | None:
        """Return the state; None: an earlier one is equal to it."""
        digest = self._digest(found.tree)
        is_exact = _is_exact(found.tree)
        is_before = digest == self._base and found.family is not Family.UNSYNCED
        # Guessed bytes may equal those of another state, and do not stand for it.
        key = digest, is_exact, self._apart and found.family is Family.UNSYNCED
        if is_before or key in self._seen:
            return None
        self._seen.add(key)
        whole = {path: self._whole.get(number) for path, number in found.numbers.items()}
        return CrashState(
            number=len(self._seen),
            description=found.description,
            family=found.family,
            done=found.done,
            statuses=self._statuses.of(found.tree, whole),
            is_exact=is_exact,
            tree=dict(sorted(found.tree.items())),
            base=self._save.base,
            after=self._save.after,
        )

    def _digest(self, tree: Tree) -> bytes:
        whole = hashlib.blake2b(digest_size=16)
        for path, node in sorted(tree.items()):
            known = self._rows.get(path)
            if known is None or known[0] is not node:
                known = self._rows[path] = node, self._row(path, node)
            whole.update(known[1])
        return whole.digest()

    def _row(self, path: str, node: Node) -> bytes:
        content = None if node.content is None else self._save.bytes.digest(node.content)
        return repr((path, node.link, content)).encode()
