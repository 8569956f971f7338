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
    """Say what became of the work when somebody presses Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        raise NotVerifiedError(sentence) from None


# What draws, and what makes tables.
_NEEDED_IN_THE_END = ("matplotlib.backends.backend_agg", "pandas")


def prepare_drawing(html: Path | None) -> None:
    """Load what draws while the processes are at work, and refuse `--html` now if what it needs is not installed."""
    threading.Thread(target=lambda: [*map(importlib.import_module, _NEEDED_IN_THE_END)], daemon=True).start()
    if html is not None:
        require()
