"""How much of some files has been read: nobody is told, unless somebody shows it."""

import threading
import time
from contextlib import AbstractContextManager, closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

# Seconds; what is done before is not worth a bar, and nobody sees more of them than that.
PATIENCE, INTERVAL = 0.5, 0.1


class Progress:
    """Told how many bytes are to be read, more than once as more is known, and how many have been; from any thread."""

    def expect(self, size: int) -> None:
        """Take note that so many bytes more are to be read."""

    def advance(self, size: int) -> None:
        """Take note that so many bytes have been read; StoppedError: nobody wants to know any more."""
        if self.is_stopped:
            raise StoppedError

    is_stopped = False

    def stop(self) -> None:
        """Let whoever reads, in any thread, leave off."""
        self.is_stopped = True


class StoppedError(Exception):
    """Raised where something is read, because what it is read for has come to an end."""


class _Bar(Progress):
    """Shows it on a terminal, once it takes longer than a moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due, self._total, self._done = time.monotonic() + PATIENCE, 0, 0
        self._bars: Bars | None = None

    def expect(self, size: int) -> None:
        with self._lock:
            self._total += size

    def advance(self, size: int) -> None:
        super().advance(size)
        with self._lock:
            self._done += size
            if time.monotonic() > self._due:
                self._due = time.monotonic() + INTERVAL
                self._bars = self._bars or _started()
                self._bars.update(self._bars.task_ids[0], total=self._total, completed=self._done)

    def close(self) -> None:
        if self._bars is not None:
            self._bars.stop()


def _started() -> "Bars":
    # Rich is slow to import, and most reads finish before a bar is due.
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("reading"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    bars = progress.Progress(*columns, console=Console(stderr=True), transient=True)
    bars.add_task("reading", total=None)
    bars.start()
    return bars


def on_terminal() -> AbstractContextManager[Progress]:
    """Give a progress that is shown on standard error."""
    return closing(_Bar())
