"""HDF5 files, read by a process of their own (`hdf5_child.py`): what libhdf5 makes of a damaged file must not be ours."""

import contextlib
import json
import selectors
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ckptcheck.checkpoints.errors import DamagedError

CHILD = Path(__file__).with_name("hdf5_child.py")

# Seconds for an answer; more is a loop in what is damaged. It takes some milliseconds, and a slow disk at times some seconds.
PATIENCE = 60.0

# A part of an array: of each of its first dimensions an index, or where a range of them begins and ends.
Where = Sequence[int | Sequence[int]]


class Hdf5:
    """An HDF5 file that is open; `data` has type and shape of each data set, `names` the attribute `name` of groups."""

    data: Mapping[str, Mapping[str, Any]]
    names: Mapping[str, str]

    def __init__(self, path: Path, start: int, size: int) -> None:
        self._path = path
        self._lock = threading.Lock()
        command, pipe = (
            [sys.executable, str(CHILD), str(path), str(start), str(size)],
            subprocess.PIPE,
        )
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0
        )
        self._end = weakref.finalize(self, _end, self._process)
        described = json.loads(self._answer(None))
        self.data, self.names = described["data"], described["names"]

    def read(self, key: str, where: Where | None) -> bytes:
        """Return the bytes of a part of an array; None: of text, each element with its length before it in 8 bytes."""
        with self._lock:
            try:
                assert self._process.stdin is not None
                self._process.stdin.write(json.dumps({"key": key, "where": where}).encode() + b"\n")
            except OSError:
                raise self._lost(key) from None
            return self._answer(key)

    def _answer(self, key: str | None) -> bytes:
        head = self._receive(9, key)
        content = self._receive(int.from_bytes(head[1:], "little"), key)
        if head[:1] == b"+":
            return content
        raise DamagedError(
            f"it cannot be read as HDF5: {content.decode(errors='replace')}", self._path, tensor=key
        )

    def _receive(self, size: int, key: str | None) -> bytes:
        stdout = self._process.stdout
        assert stdout is not None
        content = bytearray()
        with selectors.DefaultSelector() as waiting:
            waiting.register(stdout, selectors.EVENT_READ)
            while len(content) < size:
                if not waiting.select(PATIENCE):
                    self._end()
                    raise DamagedError(
                        f"HDF5 has not read it within {PATIENCE:g} s: it is corrupt",
                        self._path,
                        tensor=key,
                    )
                part = stdout.read(size - len(content))
                if not part:
                    raise self._lost(key)
                content += part
        return bytes(content)

    def _lost(self, key: str | None) -> DamagedError:
        self._end()
        status = self._process.returncode
        return DamagedError(
            f"HDF5 crashed reading it (status {status}): it is corrupt", self._path, tensor=key
        )


def _end(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    process.kill()
    process.wait()
