"""Work on many tensors in threads, with results in order: file reads and NumPy release the GIL."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from ckptcheck.cores import cores
from ckptcheck.filetools.progress import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")

# Below this many bytes in all, threads cost more than they save.
WORTH_IT = 1 << 22
# More threads would only wait for memory.
MOST = 4
# Bytes of a task: small tensors share one.
TASK = 1 << 20
# Tasks per thread that may be ahead of what has been yielded.
AHEAD = 4
# Seconds. A signal just before a lock is handled only after the wait, so every wait is bounded.
LONGEST_WAIT = 0.2


def over(
    items: Sequence[Item],
    work: Callable[[Item], Result],
    size: Callable[[Item], int],
    progress: Progress,
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with its result, in order.

    `work` may run in other threads, some items ahead. It reads `size` bytes of an item, and reports
    each chunk to `progress`, through which Ctrl-C stops it.
    """
    if sum(map(size, items)) < WORTH_IT:
        yield from ((item, work(item)) for item in items)
        return
    threads = min(MOST, cores())
    waiting: deque[Future[list[tuple[Item, Result]]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for task in _tasks(items, size):
                waiting.append(
                    pool.submit(lambda task: [(item, work(item)) for item in task], task)
                )
                if len(waiting) > AHEAD * threads:
                    yield from _result(waiting.popleft())
            while waiting:
                yield from _result(waiting.popleft())
        except BaseException:
            progress.stop()
            raise
        finally:
            for future in waiting:
                future.cancel()


def _result(future: Future[Result]) -> Result:
    while not future.done():
        wait([future], LONGEST_WAIT)
    return future.result()


def _tasks(items: Sequence[Item], size: Callable[[Item], int]) -> Iterator[list[Item]]:
    task, total = [], 0
    for item in items:
        task.append(item)
        total += size(item)
        if total >= TASK:
            yield task
            task, total = [], 0
    if task:
        yield task
