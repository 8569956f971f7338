"""How much of some files has been read: nobody is told, unless somebody shows it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Seconds; what is done before is not worth a bar, and nobody sees more of them than that.
PATIENCE, INTERVAL = 0.5, 0.1


class Progress:
    """Told how many bytes are to be read, more than once as more is known, and how many have been; from any thread."""

    def expect(self, size: int) -> None:
        """Take note that so many bytes more are to be read."""

    def advance(self, size: int) -> None:
        """Take note that so many bytes have been read.

        Raises:
            StoppedError: nobody wants to know any more.
        """
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
        self._stop: Callable[[], None] | None = None

    def expect(self, size: int) -> None:
        with self._lock:
            self._total += size

    def advance(self, size: int) -> None:
        super().advance(size)
        with self._lock:
            self._done += size
            if time.monotonic() > self._due:
                self._due = time.monotonic() + INTERVAL
                self._show()

    def _show(self) -> None:
        # Rich takes its time to load; most reads are over before.
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
        from rich.progress import Progress as Bars

        columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        bars = Bars(*columns, console=Console(stderr=True), transient=True)
        task = bars.add_task("reading", total=self._total, completed=self._done)
        bars.start()

        def show() -> None:
            bars.update(task, total=self._total, completed=self._done)

        self._show, self._stop = show, bars.stop  # type: ignore[method-assign]

    def close(self) -> None:
        """Take it from the terminal."""
        if self._stop is not None:
            self._stop()


@contextmanager
def on_terminal() -> Iterator[Progress]:
    """Give a progress that is shown on standard error."""
    bar = _Bar()
    try:
        yield bar
    finally:
        bar.close()
