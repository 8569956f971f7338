"""Work over many tensors on the cores there are, its results in order: reading, comparing, summing release Python's lock."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from ckptcheck.cores import cores
from ckptcheck.filetools.progress import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")

# Below so many bytes in all, threads cost more than they save; above so many threads, they only wait for memory.
WORTH_IT = 1 << 22
MOST = 4
# So many bytes are one task: small tensors are worked on many at a time.
TASK = 1 << 20
# How many tasks a thread may be ahead of what has been yielded.
AHEAD = 4
# Seconds. A signal that comes right before a wait for a lock is heard only when that ends, so no wait is without an end.
LONGEST_WAIT = 0.2


def over(
    items: Sequence[Item],
    work: Callable[[Item], Result],
    size: Callable[[Item], int],
    progress: Progress,
) -> Iterator[tuple[Item, Result]]:
    """Yield each item and what work made of it, in their order.

    Work may be in other threads, some items ahead of what has been yielded. It reads `size` bytes of an item, and tells
    `progress` of each chunk, so that it can be stopped, as by Ctrl-C.
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
