"""System calls as operations on the files below one folder."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ckptcheck.crash_states.open_files import OpenFile, Process, Processes
from ckptcheck.crash_states.operations import Act, Operation
from ckptcheck.crash_states.strace_lines import Call, descriptor, number, string, vector

_Operations = Iterator[Operation]
_OPEN_FLAG = re.compile(rb"O_\w+")
_WRITABLE = {b"O_WRONLY", b"O_RDWR", b"O_CREAT", b"O_TRUNC"}


class Calls:
    """Turns calls into operations below a folder.

    Args:
        folder: the folder that is watched.
        processes: the processes that make the calls.
    """

    def __init__(self, folder: Path, processes: Processes) -> None:
        # The kernel names the real path, arguments the path that the command was given.
        self._roots = tuple({os.path.realpath(folder), str(folder.absolute())})
        self._processes = processes
        self._synced: set[str] = set()  # files outside of the folder

    def operations(self, call: Call) -> _Operations:
        """Yield what a call does below the folder."""
        make = _MAKERS.get(call.name)
        if make is not None:
            yield from make(self, call)

    # Paths

    def _inside(self, path: str | None) -> str | None:
        """Return a path relative to the folder; None: it is not in it."""
        if path is None or not path.startswith("/"):
            return None
        path = os.path.normpath(path)
        for root in self._roots:
            if path == root:
                return ""
            if path.startswith(root.rstrip("/") + "/"):
                return path[len(root.rstrip("/")) + 1 :]
        return None

    def _named(self, call: Call, name: int, folder: int | None = None) -> str | None:
        """Return the path that arguments name: a name, and the folder it starts at."""
        return self._inside(self._absolute(call, name, folder))

    def _absolute(self, call: Call, name: int, folder: int | None = None) -> str:
        start = self._process(call).cwd
        if folder is not None:
            start = descriptor(call.words[folder]).path or start
        path = os.fsdecode(string(call.words[name])[0])
        return os.path.join(start or "", path)  # noqa: PTH118  # of another process

    def _process(self, call: Call) -> Process:
        return self._processes.of(call.thread)

    def _file(self, call: Call, word: int = 0) -> tuple[str | None, OpenFile]:
        """Return the path of a descriptor, and its open file, which may be an inherited one."""
        found = descriptor(call.words[word])
        path = self._inside(found.path)
        if path is None or found.number is None:
            return None, OpenFile(0)
        files = self._process(call).files
        if found.number not in files:
            files[found.number] = self._processes.opened(None)
        return path, files[found.number]

    # Open files

    def _open(self, call: Call, path: str | None, words: bytes) -> _Operations:
        path = self._inside(call.path) if call.path else path
        files = self._process(call).files
        files.pop(call.result, None)
        flags = set(_OPEN_FLAG.findall(words))
        if path is None or not flags & _WRITABLE or b"O_TMPFILE" in flags:
            return
        file = files[call.result] = self._processes.opened()
        file.appends = b"O_APPEND" in flags
        file.is_synced = bool(flags & {b"O_SYNC", b"O_DSYNC"})
        act = Act.CREATE if b"O_CREAT" in flags else Act.OPEN
        yield _done(call, act, path, handle=file.number)
        if b"O_TRUNC" in flags:
            yield _done(call, Act.TRUNCATE, path, handle=file.number)

    def _openat(self, call: Call) -> _Operations:
        return self._open(call, self._named(call, 1, 0), call.words[2])

    def _open_by_name(self, call: Call) -> _Operations:
        return self._open(call, self._named(call, 0), call.words[1])

    def _creat(self, call: Call) -> _Operations:
        return self._open(call, self._named(call, 0), b"O_WRONLY|O_CREAT|O_TRUNC")

    def _close(self, call: Call) -> _Operations:
        found = descriptor(call.words[0])
        path = self._inside(found.path)
        file = self._process(call).files.pop(found.number or 0, None)
        if path is not None and file is not None:
            yield _done(call, Act.CLOSE, path, handle=file.number)

    def _dup(self, call: Call) -> _Operations:
        files = self._process(call).files
        file = files.get(descriptor(call.words[0]).number or 0)
        files.pop(call.result, None)
        if file is not None:
            files[call.result] = file
        yield from ()

    def _fcntl(self, call: Call) -> _Operations:
        if call.words[1].startswith(b"F_DUPFD"):
            yield from self._dup(call)
        elif call.words[1] == b"F_SETFL":
            self._file(call)[1].appends = b"O_APPEND" in call.words[2]

    def _lseek(self, call: Call) -> _Operations:
        path, file = self._file(call)
        if path is not None:
            file.position = call.result
        yield from ()

    def _read(self, call: Call) -> _Operations:
        file = self._process(call).files.get(descriptor(call.words[0]).number or 0)
        if file is not None and file.position is not None:
            file.position += call.result
        yield from ()

    # Bytes

    def _written(
        self, call: Call, data: bytes, *, word: int = 0, at: int | None = None
    ) -> _Operations:
        """Yield a write at an offset, or where the file stands."""
        path, file = self._file(call, word)
        if path is None or call.result <= 0:
            return
        offset = at if at is not None and not file.appends else file.offset(call.result)
        known = data[: call.result]
        yield _done(
            call, Act.WRITE, path, handle=file.number, offset=offset, size=call.result, data=known
        )
        if file.is_synced:
            yield _done(call, Act.SYNC, path, handle=file.number)

    def _write(self, call: Call) -> _Operations:
        return self._written(call, string(call.words[1])[0])

    def _pwrite(self, call: Call) -> _Operations:
        return self._written(call, string(call.words[1])[0], at=number(call.words[3]))

    def _writev(self, call: Call) -> _Operations:
        return self._written(call, vector(call.words[1]))

    def _pwritev(self, call: Call) -> _Operations:
        at = number(call.words[3])
        return self._written(call, vector(call.words[1]), at=None if at == -1 else at)

    def _sendfile(self, call: Call) -> _Operations:
        return self._written(call, b"")

    def _copy_range(self, call: Call) -> _Operations:
        return self._written(call, b"", word=2, at=number(call.words[3]))

    def _sized(self, call: Call, path: str | None, handle: int) -> _Operations:
        if path is not None:
            size = number(call.words[1]) or 0
            yield _done(call, Act.TRUNCATE, path, handle=handle, size=size)

    def _ftruncate(self, call: Call) -> _Operations:
        path, file = self._file(call)
        return self._sized(call, path, file.number)

    def _truncate(self, call: Call) -> _Operations:
        return self._sized(call, self._named(call, 0), 0)

    def _fallocate(self, call: Call) -> _Operations:
        path, file = self._file(call)
        mode, offset, size = call.words[1], number(call.words[2]) or 0, number(call.words[3]) or 0
        if path is None:
            return
        if b"ZERO_RANGE" in mode or b"PUNCH_HOLE" in mode:
            yield _done(
                call,
                Act.WRITE,
                path,
                handle=file.number,
                offset=offset,
                size=size,
                data=bytes(size),
            )
        elif b"KEEP_SIZE" not in mode:
            yield _done(call, Act.EXTEND, path, handle=file.number, size=offset + size)

    def _fsync(self, call: Call) -> _Operations:
        found = descriptor(call.words[0])
        path = self._inside(found.path)
        if path is not None:
            file = self._process(call).files.get(found.number or 0)
            yield _done(call, Act.SYNC, path, handle=file.number if file else 0)
        elif found.path is not None:
            self._synced.add(os.path.normpath(found.path))

    def _is_synced(self, path: str) -> bool:
        """Return whether a file outside was synced, or a file in a folder outside."""
        path = os.path.normpath(path)
        return any(each == path or each.startswith(f"{path}/") for each in self._synced)

    def _sync(self, call: Call) -> _Operations:
        yield _done(call, Act.SYNC, "", handle=-1)

    # Names

    def _moved(self, call: Call, old: str, new: str, act: Act) -> _Operations:
        source, target = self._inside(old), self._inside(new)
        if source is not None and target is not None:
            yield _done(call, act, source, target=target)
        elif target is not None:
            yield _done(call, Act.ARRIVE, target, is_synced=self._is_synced(old))
        elif source is not None and act is not Act.LINK:
            yield _done(call, Act.UNLINK, source)

    def _rename(self, call: Call) -> _Operations:
        return self._moved(call, self._absolute(call, 0), self._absolute(call, 1), Act.RENAME)

    def _renameat(self, call: Call) -> _Operations:
        swaps = len(call.words) > 4 and b"EXCHANGE" in call.words[4]
        act = Act.EXCHANGE if swaps else Act.RENAME
        return self._moved(call, self._absolute(call, 1, 0), self._absolute(call, 3, 2), act)

    def _link(self, call: Call) -> _Operations:
        return self._moved(call, self._absolute(call, 0), self._absolute(call, 1), Act.LINK)

    def _linkat(self, call: Call) -> _Operations:
        return self._moved(call, self._absolute(call, 1, 0), self._absolute(call, 3, 2), Act.LINK)

    def _symlinked(self, call: Call, path: str | None) -> _Operations:
        if path is not None:
            text = os.fsdecode(string(call.words[0])[0])
            yield _done(call, Act.SYMLINK, path, target=text)

    def _symlink(self, call: Call) -> _Operations:
        return self._symlinked(call, self._named(call, 1))

    def _symlinkat(self, call: Call) -> _Operations:
        return self._symlinked(call, self._named(call, 2, 1))

    def _chdir(self, call: Call) -> _Operations:
        process = self._process(call)
        path = os.fsdecode(string(call.words[0])[0])
        process.cwd = os.path.join(process.cwd or "", path)  # noqa: PTH118
        yield from ()

    def _fchdir(self, call: Call) -> _Operations:
        self._process(call).cwd = descriptor(call.words[0]).path
        yield from ()


def _by_name(act: Act) -> Callable[[Calls, Call], _Operations]:
    """Return what makes an operation of a call that names a path in its first argument."""

    def made(calls: Calls, call: Call) -> _Operations:
        path = calls._named(call, 0)
        if path is not None:
            yield _done(call, act, path)

    return made


def _by_folder(act: Act) -> Callable[[Calls, Call], _Operations]:
    """Return what makes an operation of a call that names a folder and a path in it."""

    def made(calls: Calls, call: Call) -> _Operations:
        path = calls._named(call, 1, 0)
        removes = len(call.words) > 2 and b"AT_REMOVEDIR" in call.words[2]
        if path is not None:
            yield _done(call, Act.RMDIR if removes else act, path)

    return made


def _done(
    call: Call,
    act: Act,
    path: str,
    *,
    target: str = "",
    handle: int = 0,
    offset: int | None = 0,
    size: int = 0,
    data: bytes = b"",
    is_synced: bool = False,
) -> Operation:
    return Operation(
        act, path, call.time, call.thread, handle, target, offset, size, data, is_synced
    )


_MAKERS: Mapping[str, Callable[[Calls, Call], _Operations]] = {
    "openat": Calls._openat,
    "openat2": Calls._openat,
    "open": Calls._open_by_name,
    "creat": Calls._creat,
    "close": Calls._close,
    "dup": Calls._dup,
    "dup2": Calls._dup,
    "dup3": Calls._dup,
    "fcntl": Calls._fcntl,
    "lseek": Calls._lseek,
    "read": Calls._read,
    "readv": Calls._read,
    "write": Calls._write,
    "pwrite64": Calls._pwrite,
    "writev": Calls._writev,
    "pwritev": Calls._pwritev,
    "pwritev2": Calls._pwritev,
    "sendfile": Calls._sendfile,
    "copy_file_range": Calls._copy_range,
    "ftruncate": Calls._ftruncate,
    "truncate": Calls._truncate,
    "fallocate": Calls._fallocate,
    "fsync": Calls._fsync,
    "fdatasync": Calls._fsync,
    "sync": Calls._sync,
    "syncfs": Calls._sync,
    "rename": Calls._rename,
    "renameat": Calls._renameat,
    "renameat2": Calls._renameat,
    "link": Calls._link,
    "linkat": Calls._linkat,
    "symlink": Calls._symlink,
    "symlinkat": Calls._symlinkat,
    "unlink": _by_name(Act.UNLINK),
    "unlinkat": _by_folder(Act.UNLINK),
    "rmdir": _by_name(Act.RMDIR),
    "mkdir": _by_name(Act.MKDIR),
    "mkdirat": _by_folder(Act.MKDIR),
    "chdir": Calls._chdir,
    "fchdir": Calls._fchdir,
}
CALLS = frozenset(name.encode() for name in _MAKERS)
