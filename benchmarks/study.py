"""The cost of a study: two ratios, measured side by side in one run, and their upper bounds.

    python benchmarks/study.py [--repeats N] [--json]

1. 200 epochs against the bare loop: wall time of `ckptcheck study convergence bn-nn --seeds 1
   --epochs 200`, figure included, over that of `benchmarks/train_by_hand.py 200`. Both import
   TensorFlow; their validation losses must be the same.
2. two cores against one: wall time of `ckptcheck study bn-apis` (five seeds, ten runs of
   100 epochs) on two cores over that on one. 1.7 times the speed is a ratio of 0.588.

A ratio is the median over repeats. A repeat takes about three minutes; other load on the machine
distorts it.
Exits with 1 if something could not be measured, with 0 otherwise, whether the bars are met or not.
"""

import csv
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from side_by_side import (
    HERE,
    Measured,
    NotMeasuredError,
    Pair,
    last_line,
    main,
    progress,
    ratio,
    side_by_side,
    timed,
    timed_output,
)

LOOP = "200 epochs against the bare loop"
CORES = "two cores against one"
BARS = {LOOP: 1.1, CORES: 1 / 1.7}
EPOCHS = 200


def against_the_loop(folder: Path, repeat: int) -> Pair:
    out = folder / "loop"
    study = ("study", "convergence", "bn-nn", "--seeds", "1", "--epochs", str(EPOCHS))
    command = ("-m", "ckptcheck", *study, "--out", out)
    by_hand: list[float] = []

    def loop() -> float:
        seconds, printed = timed_output(HERE / "train_by_hand.py", str(EPOCHS))
        by_hand[:] = last_line(printed)
        return seconds

    pair = side_by_side(lambda: timed(*command), loop, repeat)
    with (out / "convergence" / "epochs.csv").open(encoding="utf-8") as rows:
        of_study = [float(row["validation_loss"]) for row in csv.DictReader(rows)]
    if of_study != by_hand:
        raise NotMeasuredError(
            "The validation losses of the study differ from those of the loop by hand."
        )
    return pair


def on(cores: Sequence[int], out: Path) -> float:
    before = os.sched_getaffinity(0)
    # Children inherit the cores, and the tool starts as many processes as it has cores.
    os.sched_setaffinity(0, cores)
    try:
        return timed("-m", "ckptcheck", "study", "bn-apis", "--out", out)
    finally:
        os.sched_setaffinity(0, before)


def two_cores(folder: Path, repeat: int) -> Pair:
    first, second, *_ = sorted(os.sched_getaffinity(0))
    return side_by_side(
        lambda: on((first, second), folder / "two"), lambda: on((first,), folder / "one"), repeat
    )


def measure(repeats: int) -> Measured:
    """Measure everything; report progress on standard error."""
    count = len(os.sched_getaffinity(0))
    if count < 2:
        raise NotMeasuredError(f"This benchmark needs two cores; the process may use {count}.")
    found: Measured = {name: [] for name in BARS}
    with tempfile.TemporaryDirectory(prefix="ckptcheck-benchmark-") as top:
        progress("reading everything into the page cache")
        short = ("study", "bn-apis", "--seeds", "1", "--epochs", "1")
        timed("-m", "ckptcheck", *short, "--out", Path(top) / "unmeasured")
        for repeat in range(repeats):
            for name, one in ((LOOP, against_the_loop), (CORES, two_cores)):
                found[name].append(one(Path(tempfile.mkdtemp(dir=top)), repeat))
                progress(f"repeat {repeat + 1} of {repeats}: {name}: {ratio(found[name][-1]):.3f}")
    return found


if __name__ == "__main__":
    sys.exit(main(__doc__ or "", BARS, measure, repeats=3))
