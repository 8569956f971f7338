"""Measure for `benchmarks/verify.py` inside one process that has imported TensorFlow.

    python benchmarks/inside.py restore CRASH_IMAGE   seconds of a bare restore, build to last step
    python benchmarks/inside.py steps PAIRS           seconds of blocks, [bare, recorded] for a pair

Prints one JSON line at the end.
"""

import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import by_hand

from ckptcheck.job.schedule import Schedule
from ckptcheck.run.folder import Recorder
from ckptcheck.run.fork_server import write_event
from ckptcheck.run.heartbeat import Heartbeat
from ckptcheck.run.run import Facts

if TYPE_CHECKING:
    from ckptcheck.jobs.bn_nn import BatchNormNN

# Steps in a block: a block must outlast the jitter, and a pair must be shorter than the drift.
BLOCK = 50
WARM_UP = 100


def further_restore(crash_image: Path) -> float:
    """Build, restore `ema-none`, evaluate at the boundary, and train and evaluate to the end."""
    started = time.perf_counter()
    job, schedule = by_hand.make_job(by_hand.OTHER_SEED)
    job.restore(crash_image, "ema-none")
    job.evaluate()
    by_hand.train_on(job, schedule, job.next_step(), schedule.steps)
    return time.perf_counter() - started


def paired_blocks(pairs: int) -> list[tuple[float, float]]:
    """Time pairs of blocks of the same steps, bare and recorded, in alternating order."""
    job, schedule = by_hand.make_job(by_hand.SEED)
    losses: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="ckptcheck-benchmark-") as folder,
        Path(os.devnull).open("wb") as nowhere,
    ):
        recorder = Recorder(Path(folder), Facts("control", "bn-nn", None, by_hand.SEED, schedule))
        beat = Heartbeat(lambda count: write_event(nowhere.fileno(), 1, "step", done=count))
        gc.collect()
        # As the tool's processes do: bare blocks must not pay for the garbage of recorded ones.
        gc.freeze()

        def bare(first: int) -> None:
            for index in range(first, first + BLOCK):
                losses.append(job.train(index).loss)

        def recorded(first: int) -> None:
            _record(job, schedule, recorder, beat, first)

        bare(0)
        for first in range(0, WARM_UP, BLOCK):
            recorded(first)
        timed = [_pair(bare, recorded, index) for index in range(pairs)]
        recorder.close()
    return timed


def _record(
    job: "BatchNormNN", schedule: Schedule, recorder: Recorder, beat: Heartbeat, first: int
) -> None:
    """Execute a block as `ckptcheck.run.execution` does: it asks when to evaluate, and does not."""
    for done, index in enumerate(range(first, first + BLOCK), first + 1):
        recorder.step(index, job.train(index))
        beat(done)
        schedule.evaluates_at(done)


def _pair(
    bare: Callable[[int], None], recorded: Callable[[int], None], index: int
) -> tuple[float, float]:
    first = index * BLOCK
    if index % 2:
        seconds = _seconds(recorded, first)
        return _seconds(bare, first), seconds
    return _seconds(bare, first), _seconds(recorded, first)


def _seconds(block: Callable[[int], None], first: int) -> float:
    started = time.perf_counter()
    block(first)
    return time.perf_counter() - started


def main(what: str, argument: str) -> None:
    """Import TensorFlow, measure, print."""
    import tensorflow  # noqa: F401  # imported before any timing

    print(
        json.dumps(
            further_restore(Path(argument)) if what == "restore" else paired_blocks(int(argument))
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
