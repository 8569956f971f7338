"""HDF5 files, read in a child process (`hdf5_child.py`): libhdf5 can crash on a damaged file."""

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

# Seconds to wait for an answer: it takes milliseconds, seconds on a slow disk.
PATIENCE = 60.0

# A part of an array: for each of its first dimensions an index, or the start and end of a range.
Where = Sequence[int | Sequence[int]]


class Hdf5:
    """An open HDF5 file: its attributes, data sets, and the groups' `name` attributes."""

    data: Mapping[str, Mapping[str, Any]]
    names: Mapping[str, str]
    attributes: Mapping[str, str]

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
        self.attributes = described["attributes"]

    def read(self, key: str, where: Where | None) -> bytes:
        """Return the bytes of a part of an array; None: a whole text array, see `hdf5_child`."""
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
            f"HDF5 cannot read the file: {content.decode(errors='replace')}", self._path, tensor=key
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
                        f"HDF5 did not finish reading within {PATIENCE:g} s: the file is corrupt",
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
            f"HDF5 crashed while reading (exit status {status}): the file is corrupt",
            self._path,
            tensor=key,
        )


def _end(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    process.kill()
    process.wait()
