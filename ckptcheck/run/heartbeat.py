"""Progress that costs nothing."""

import time
from collections.abc import Callable

# Tells the parent of a process what happens in it: the kind of event, and its facts.
Emit = Callable[..., None]


class Heartbeat:
    """Calls `beat` at most ten times a second, so that progress costs nothing."""

    def __init__(self, beat: Callable[[int], None]) -> None:
        self._beat = beat
        self._next = 0.0

    def __call__(self, done: int) -> None:
        """Tell that `done` steps are done, if the last word is old enough."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + 0.1
            self._beat(done)
