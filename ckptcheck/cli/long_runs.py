"""What commands that train do about the time it takes: Ctrl-C ends it in good order, and what draws is loaded meanwhile."""

import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ckptcheck.errors import NotVerifiedError
from ckptcheck.report.html import require


@contextmanager
def interruptible(sentence: str) -> Iterator[None]:
    """Say what became of the work after Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        raise NotVerifiedError(sentence) from None


def prepare_drawing(html: Path | None) -> None:
    """Load what draws while the processes are at work, and refuse `--html` now if what it needs is not installed."""
    needed = ("matplotlib.backends.backend_agg", "pandas")
    threading.Thread(target=lambda: [*map(importlib.import_module, needed)], daemon=True).start()
    if html is not None:
        require()
