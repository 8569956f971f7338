"""File operations that are done for real and recorded, as strace would, without strace."""

import os
from pathlib import Path

from ckptcheck.crash_states.operations import Act, Operation

# Names and what they are: the bytes of a file, the text of a link, None for a folder.
Contents = dict[str, bytes | str | None]


def contents(folder: Path) -> Contents:
    found: Contents = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_dir():
            found[name] = None
        else:
            found[name] = path.read_bytes()
    return found


def make(folder: Path, what: Contents) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in sorted(what.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir(exist_ok=True)
        elif isinstance(content, str):
            path.symlink_to(content)
        else:
            path.write_bytes(content)
    return folder


class Recorder:
    """Does operations in a folder; each is recorded with what the folder holds behind it.

    A log keeps the first `kept` bytes of a write.
    """

    def __init__(self, folder: Path, kept: int = 1000) -> None:
        self.folder, self.kept = folder, kept
        self.operations: list[Operation] = []
        self.snapshots: list[Contents] = []
        self._open: dict[int, tuple[int, str]] = {}
        self._count = 0

    def _did(self, act: Act, path: str, **facts: object) -> None:
        time = float(len(self.operations))
        self.operations.append(Operation(act, path, time, **facts))  # type: ignore[arg-type]
        self.snapshots.append(contents(self.folder))

    def open(self, path: str, flags: int = os.O_CREAT) -> int:
        descriptor = os.open(self.folder / path, os.O_RDWR | (flags & ~os.O_TRUNC), 0o644)
        self._count += 1
        self._open[self._count] = descriptor, path
        act = Act.CREATE if flags & os.O_CREAT else Act.OPEN
        self._did(act, path, handle=self._count)
        if flags & os.O_TRUNC:
            self.truncate(self._count, 0)
        return self._count

    def write(self, handle: int, data: bytes, offset: int | None = None) -> None:
        descriptor, path = self._open[handle]
        at = os.lseek(descriptor, 0, os.SEEK_END) if offset is None else offset
        os.pwrite(descriptor, data, at)
        self._did(
            Act.WRITE, path, handle=handle, offset=offset, size=len(data), data=data[: self.kept]
        )

    def truncate(self, handle: int, size: int) -> None:
        descriptor, path = self._open[handle]
        os.ftruncate(descriptor, size)
        self._did(Act.TRUNCATE, path, handle=handle, size=size)

    def sync(self, handle: int) -> None:
        self._did(Act.SYNC, self._open[handle][1], handle=handle)

    def sync_folder(self) -> None:
        self._did(Act.SYNC, "")

    def close(self, handle: int) -> None:
        descriptor, path = self._open.pop(handle)
        os.close(descriptor)
        self._did(Act.CLOSE, path, handle=handle)

    def close_all(self) -> None:
        for handle in list(self._open):
            self.close(handle)

    def rename(self, path: str, target: str) -> None:
        (self.folder / path).rename(self.folder / target)
        self._did(Act.RENAME, path, target=target)

    def link(self, path: str, target: str) -> None:
        os.link(self.folder / path, self.folder / target)
        self._did(Act.LINK, path, target=target)

    def symlink(self, path: str, text: str) -> None:
        (self.folder / path).symlink_to(text)
        self._did(Act.SYMLINK, path, target=text)

    def unlink(self, path: str) -> None:
        (self.folder / path).unlink()
        self._did(Act.UNLINK, path)

    def mkdir(self, path: str) -> None:
        (self.folder / path).mkdir()
        self._did(Act.MKDIR, path)

    def rmdir(self, path: str) -> None:
        (self.folder / path).rmdir()
        self._did(Act.RMDIR, path)

    def arrive(self, path: str, data: bytes, *, sync: bool = False) -> None:
        (self.folder / path).unlink(missing_ok=True)
        (self.folder / path).write_bytes(data)
        self._did(Act.ARRIVE, path, is_synced=sync)

    def file(self, path: str, *parts: bytes, sync: bool = False) -> None:
        """Write a file as programs do: empty it, write its parts, close it."""
        handle = self.open(path, os.O_CREAT | os.O_TRUNC)
        at = 0
        for part in parts:
            self.write(handle, part, at)
            at += len(part)
        if sync:
            self.sync(handle)
        self.close(handle)
