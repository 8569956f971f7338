"""A child process that reads a file for its parent: a native library can crash on a damaged file.

An answer of the child is `+`, or `-` for an error, its size in 8 bytes, and its bytes.
"""

import contextlib
import json
import selectors
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ckptcheck.checkpoints.errors import DamagedError

# Bytes of one read from a pipe: Python allocates what is asked for before it reads.
_MOST = 1 << 20


class Child:
    """A running child process; it ends with the object."""

    def __init__(
        self, program: Path, arguments: Sequence[str], library: str, path: Path, patience: float
    ) -> None:
        """Start the child.

        Args:
            program: the Python program of the child.
            arguments: its arguments.
            library: the name of the library that reads, for messages.
            path: the file or folder that it reads.
            patience: the seconds to wait for an answer, or for its next part.
        """
        self._library, self._path, self._patience = library, path, patience
        self._lock = threading.Lock()
        command, pipe = [sys.executable, str(program), *arguments], subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0
        )
        self._end = weakref.finalize(self, _end, self.process)

    def ask(self, question: Any, tensor: str | None = None) -> bytes:
        """Return the answer to a question, which is sent as JSON; raise DamagedError: an error."""
        with self._lock:
            self._send(json.dumps(question).encode() + b"\n", tensor)
            return self.answer(tensor)

    def answer(self, tensor: str | None = None) -> bytes:
        """Return the next answer; raise DamagedError if it is an error, or none comes."""
        head = self._receive(9, tensor)
        content = self._receive(int.from_bytes(head[1:], "little"), tensor)
        if head[:1] == b"+":
            return content
        what = f"{self._library} cannot read the file: {content.decode(errors='replace')}"
        raise DamagedError(what, self._path, tensor=tensor)

    def _send(self, line: bytes, tensor: str | None) -> None:
        assert self.process.stdin is not None
        try:
            while line:
                line = line[self.process.stdin.write(line) or 0 :]
        except (OSError, ValueError):  # ValueError: its end has closed the pipe
            raise self._lost(tensor) from None

    def _receive(self, size: int, tensor: str | None) -> bytes:
        stdout = self.process.stdout
        assert stdout is not None
        if stdout.closed:
            raise self._lost(tensor)
        content = bytearray()
        with selectors.DefaultSelector() as waiting:
            waiting.register(stdout, selectors.EVENT_READ)
            while len(content) < size:
                if not waiting.select(self._patience):
                    self._end()
                    what = f"did not finish reading within {self._patience:g} s"
                    raise DamagedError(
                        f"{self._library} {what}: the file is corrupt", self._path, tensor=tensor
                    )
                part = stdout.read(min(size - len(content), _MOST))
                if not part:
                    raise self._lost(tensor)
                content += part
        return bytes(content)

    def _lost(self, tensor: str | None) -> DamagedError:
        self._end()
        status = self.process.returncode
        what = f"{self._library} crashed while reading (exit status {status}): the file is corrupt"
        return DamagedError(what, self._path, tensor=tensor)


def _end(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    process.kill()
    process.wait()
