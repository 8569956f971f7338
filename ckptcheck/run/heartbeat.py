"""Progress reports at negligible cost."""

import time
from collections.abc import Callable

# Reports an event of a process to its parent: the kind of event, and its facts.
Emit = Callable[..., None]


class Heartbeat:
    """Calls `beat` at most once in `every` seconds."""

    def __init__(self, beat: Callable[[int], None], every: float = 0.1) -> None:
        self._beat = beat
        self._every = every
        self._next = 0.0

    def __call__(self, done: int) -> None:
        """Report that `done` steps are done, unless the last report is too recent."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + self._every
            self._beat(done)
