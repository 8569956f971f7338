"""Standard streams that end quietly when the reader has gone, and with a sentence when full."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from ckptcheck.errors import NotVerifiedError


def guard() -> None:
    """Replace both standard streams by ones that raise no `OSError`, if they are real files."""
    sys.stdout = _guarded(sys.stdout, "Standard output")
    sys.stderr = _guarded(sys.stderr, "Standard error")


def _guarded(stream: TextIO, name: str) -> TextIO:
    try:
        number = stream.fileno()
    except (AttributeError, OSError, ValueError):  # closed, or replaced by a test
        return stream
    guarded = _Guarded(
        open(number, "wb", closefd=False),  # noqa: SIM115  open until the process ends
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=bool(stream.line_buffering),
        write_through=bool(getattr(stream, "write_through", False)),
    )
    guarded.called = name
    return guarded


class _Guarded(io.TextIOWrapper):
    called: str

    def write(self, text: str) -> int:
        with self._guarded():
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with self._guarded():
            super().flush()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            # A reader who has seen enough (`| head`) closes the pipe: the exit code stays the same.
            self._discard()
        except OSError as error:
            self._discard()
            reason = error.strerror or error
            raise NotVerifiedError(f"{self.called} cannot be written: {reason}.") from error

    def _discard(self) -> None:
        """Let what is still buffered, and all that follows, go nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
