"""Progress of reading files, shown on a terminal if asked for."""

import threading
import time
from contextlib import AbstractContextManager, closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

# Seconds before the bar appears, and between its updates.
PATIENCE, INTERVAL = 0.5, 0.1


class Progress:
    """A counter of bytes to read and bytes read, for any thread; this one shows nothing."""

    def expect(self, size: int) -> None:
        """Add to the bytes to read."""

    def advance(self, size: int) -> None:
        """Add to the bytes read; raise StoppedError after `stop`."""
        if self.is_stopped:
            raise StoppedError

    is_stopped = False

    def stop(self) -> None:
        """Stop every reader, in any thread."""
        self.is_stopped = True


class StoppedError(Exception):
    """Raised in a reader after `Progress.stop`."""


class _Bar(Progress):
    """A progress bar on the terminal, once reading takes longer than PATIENCE."""

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
    """Return a progress that is shown on standard error."""
    return closing(_Bar())
