"""Standard output that ends quietly when its reader has gone, and with a sentence when full."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ckptcheck.errors import NotVerifiedError


def guard() -> None:
    """Replace standard output by one that raises no `OSError`, if it is a real file."""
    try:
        number = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):  # closed, or replaced by a test
        return
    sys.stdout = _Guarded(
        open(number, "wb", closefd=False),  # noqa: SIM115  open until the process ends
        encoding=sys.stdout.encoding,
        errors=sys.stdout.errors,
        line_buffering=bool(sys.stdout.line_buffering),
        write_through=bool(getattr(sys.stdout, "write_through", False)),
    )


class _Guarded(io.TextIOWrapper):
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
            raise NotVerifiedError(f"Standard output cannot be written: {reason}.") from error

    def _discard(self) -> None:
        """Let what is still buffered, and all that follows, go nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
