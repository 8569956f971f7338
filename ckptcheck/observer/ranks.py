"""The ranks of one job: processes that train together, each with state of its own.

Rank 0 decides which save is wanted, and copies the folder. Before each step, every other rank waits
for its word, so that all record their state before the same step. No rank writes meanwhile: rank 0
copies once all have come to that step.
"""

import mmap
import os
import time
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
        size = 8 * (_ARRIVED + 2 * rank.count)  # then the id of each process
        descriptor = os.open(folder / MEETING, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, size)
            self._numbers = memoryview(mmap.mmap(descriptor, size)).cast("q")
        finally:
            os.close(descriptor)
        self._numbers[_ARRIVED + rank.count + rank.number] = os.getpid()

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
        has_word = self._wait(_TOLD, step, 0)
        return self.is_boundary(step) or not (is_new and has_word)

    def gather(self) -> None:
        """Wait until all ranks have come to the step that this rank has come to."""
        self._wait_until_all_at(self._mine)

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
        self._wait_until_all_at(_OVER)

    @property
    def _mine(self) -> int:
        return int(self._numbers[_ARRIVED + self.rank.number])

    @_mine.setter
    def _mine(self, step: int) -> None:
        self._numbers[_ARRIVED + self.rank.number] = step

    def _wait_until_all_at(self, step: int) -> None:
        for rank in range(self.rank.count):
            self._wait(_ARRIVED + rank, step, rank)

    def _wait(self, place: int, step: int, rank: int) -> bool:
        """Wait for a rank until a number is at a step; return whether it is.

        No rank waits for one whose process has ended, or for too long in all.
        """
        pause, began = _FIRST_LOOK, time.monotonic()
        while self._numbers[place] < step and time.monotonic() - began < self._left:
            if pause == _LAST_LOOK and not self._is_alive(rank):
                break
            time.sleep(pause)
            pause = min(_LAST_LOOK, 2 * pause)
        self._left -= time.monotonic() - began
        return bool(self._numbers[place] >= step)

    def _is_alive(self, rank: int) -> bool:
        """Return whether the process of a rank runs, or has not come yet."""
        process = self._numbers[_ARRIVED + self.rank.count + rank]
        if not process:
            return True
        try:
            os.kill(process, 0)
            # One that was killed is there until its parent asks for it.
            status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        except ProcessLookupError:
            return False
        except OSError:  # a system without that file, or a process of a different user
            return True
        return status.rpartition(")")[2].split()[0] not in "ZX"
