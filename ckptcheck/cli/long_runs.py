"""For commands that train: end cleanly on Ctrl-C, and load the drawing packages meanwhile."""

import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ckptcheck.errors import NotVerifiedError
from ckptcheck.report.html import require


@contextmanager
def interruptible(sentence: str) -> Iterator[None]:
    """Turn Ctrl-C into an error that says what happened to the work."""
    try:
        yield
    except KeyboardInterrupt:
        raise NotVerifiedError(sentence) from None


def prepare_drawing(html: Path | None) -> None:
    """Load the drawing packages in the background, and refuse `--html` now without its extra."""
    needed = ("matplotlib.backends.backend_agg", "pandas")
    threading.Thread(target=lambda: [*map(importlib.import_module, needed)], daemon=True).start()
    if html is not None:
        require()
