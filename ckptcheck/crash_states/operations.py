"""What a process does to the files below a folder, one operation at a time."""

import enum
from dataclasses import dataclass


class Act(enum.Enum):
    """What an operation does.

    CREATE makes a file unless there is one. OPEN, CLOSE and SYNC leave names and bytes as they
    are. ARRIVE is a rename or link from outside the folder; a rename out of it is an UNLINK.
    EXTEND makes a file at least so large, EXCHANGE swaps two names.
    """

    CREATE = "create"
    OPEN = "open"
    CLOSE = "close"
    WRITE = "write"
    TRUNCATE = "truncate"
    EXTEND = "extend"
    SYNC = "sync"
    RENAME = "rename"
    EXCHANGE = "exchange"
    UNLINK = "unlink"
    LINK = "link"
    SYMLINK = "symlink"
    MKDIR = "mkdir"
    RMDIR = "rmdir"
    ARRIVE = "arrive"


# What changes neither a name nor a byte.
SILENT = frozenset((Act.OPEN, Act.CLOSE, Act.SYNC))


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on a file or folder below a folder.

    Attributes:
        act: what it does.
        path: the file, relative to the folder; empty: the folder itself. Of a SYNC without a
            path and a handle: all files.
        time: when it was done, in seconds since 1970.
        thread: the thread that did it, as the kernel numbers threads.
        handle: the number of the open file that it goes through; 0: it goes by path alone.
        target: the new name of a RENAME, EXCHANGE or LINK, or the text of a SYMLINK.
        offset: where a WRITE begins, in bytes; None: at the end of the file.
        size: the bytes written, or the size of the file after a TRUNCATE or EXTEND.
        data: the first of the bytes written, as far as they are known.
        is_synced: whether the bytes of an ARRIVE were synced where it comes from.
    """

    act: Act
    path: str
    time: float = 0.0
    thread: int = 0
    handle: int = 0
    target: str = ""
    offset: int | None = 0
    size: int = 0
    data: bytes = b""
    is_synced: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether all bytes of a WRITE are known."""
        return len(self.data) == self.size
