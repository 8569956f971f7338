"""The ranks of one job: processes that train together, each with state of its own.

Rank 0 decides which save is wanted, and copies the folder. Before each step, every other rank waits
for its word, so that all record their state before the same step. No rank writes meanwhile: rank 0
copies once all have come to that step.
"""

import mmap
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MEETING = "ranks"  # the file that the ranks share
# In seconds. Ranks that keep in step wait for no more than the slowest of them. Those that do not
# could wait for each other for ever.
_MOST_WAITED = 30.0
_FIRST_LOOK, _LAST_LOOK = 1e-4, 2e-3
_OVER = 1 << 62
# The places of the numbers in the file.
_TOLD, _BOUNDARY, _ARRIVED = 0, 1, 2


@dataclass(frozen=True)
class Rank:
    """The rank of this process, from 0, among `count` of a job."""

    number: int
    count: int


class Meeting:
    """What the ranks of a job tell each other, as numbers in a file that each has in its memory.

    Steps are named by the number of steps done before them, from 1.

    Args:
        folder: the folder of the run's record.
        rank: the rank of this process.
    """

    def __init__(self, folder: Path, rank: Rank) -> None:
        self.rank = rank
        self._left = _MOST_WAITED
        size = 8 * (_ARRIVED + rank.count)
        descriptor = os.open(folder / MEETING, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, size)
            self._numbers = memoryview(mmap.mmap(descriptor, size)).cast("q")
        finally:
            os.close(descriptor)

    @property
    def follows(self) -> bool:
        """Whether a different rank decides which save is wanted."""
        return self.rank.number > 0

    def begins(self, step: int, is_due: bool) -> bool:
        """Note that this rank comes to a step; return whether the state before it may be wanted.

        Args:
            step: the step.
            is_due: whether it is wanted by what this rank knows itself.
        """
        is_new = self._mine < step
        self._mine = step
        if not self.follows:
            if not is_due:
                self._numbers[_TOLD] = step
            return is_due
        # A rank that comes to a step again may have been told before rank 0 has saved.
        has_word = self._wait(lambda: self._numbers[_TOLD] >= step)
        return self.is_boundary(step) or not (is_new and has_word)

    def gather(self) -> None:
        """Wait until all ranks have come to the step that this rank has come to."""
        self._wait(lambda: min(self._numbers[_ARRIVED:]) >= self._mine)

    def tell(self) -> None:
        """Tell the others that the state before this step is wanted, and that the copy is made."""
        self._numbers[_BOUNDARY] = self._mine
        self._numbers[_TOLD] = self._mine

    def is_boundary(self, step: int) -> bool:
        """Return whether rank 0 has told that the state before a step is wanted."""
        return bool(self._numbers[_BOUNDARY] == step)

    def leave(self) -> None:
        """Note that the record of this rank has ended: no rank waits for it."""
        self._mine = _OVER
        if not self.follows:
            self._numbers[_TOLD] = _OVER

    def wait_for_all(self) -> None:
        """Wait until the records of all ranks have ended: a rank that ends kills the others."""
        self._wait(lambda: min(self._numbers[_ARRIVED:]) >= _OVER)

    @property
    def _mine(self) -> int:
        return int(self._numbers[_ARRIVED + self.rank.number])

    @_mine.setter
    def _mine(self, step: int) -> None:
        self._numbers[_ARRIVED + self.rank.number] = step

    def _wait(self, is_so: Callable[[], bool]) -> bool:
        """Wait until something is so, unless that takes too long in all; return whether it is."""
        pause, began = _FIRST_LOOK, time.monotonic()
        while not is_so() and time.monotonic() - began < self._left:
            time.sleep(pause)
            pause = min(_LAST_LOOK, 2 * pause)
        self._left -= time.monotonic() - began
        return is_so()
