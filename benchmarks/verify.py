"""The cost of a verification: ratios, measured side by side in one run, and their upper bounds.

    python benchmarks/verify.py [--repeats N] [--json]

1. verify against a script by hand: wall time of `ckptcheck verify bn-nn --restore saver
   --restore ema`, report and figure included, over that of `benchmarks/by_hand.py`, the script
   that a user would write: three processes in turn.
2. six default cases against one import: wall time of `ckptcheck verify` over that of
   `python -c "import tensorflow"`.
3. recorded step against a bare one: blocks of training steps in one process, with the tool's
   recording and without it.
4. one further restore against doing it bare, plus 0.3 s: the process of a further restore of
   bn-nn, over the same restore in a process that has TensorFlow imported, plus 0.3 s.
5. a Keras job, two restores, against one import: wall time of `ckptcheck verify
   benchmarks/fit_jobs.py:Sixty --steps 60` over that of the import.
6. recorded fit against a bare one, on three networks: epochs of two equal models, one of them
   recorded; and the same networks in a loop over `train_on_batch`. Both in seconds of all
   processor cores in use, which other load hardly changes.
7. comparing two recorded runs against 0.8 s: wall time of `ckptcheck compare`, start-up included.

A ratio is the median over repeats (3 and 6: over pairs of blocks). The two sides of a repeat run
right after each other, in alternating order where neither needs the other. A repeat takes about
75 s on 2 cores; other load on the machine distorts it.
Exits with 1 if something could not be measured, with 0 otherwise, whether the bars are met or not.
"""

import sys
import tempfile
import time
from pathlib import Path

from side_by_side import (
    HERE,
    Measured,
    NotMeasuredError,
    Pair,
    last_line,
    main,
    progress,
    python,
    ratio,
    side_by_side,
    timed,
)

from ckptcheck.pipeline import verify
from ckptcheck.run.worker_pool import Event

BY_HAND = "verify against a script by hand"
IMPORT = "six default cases against one import"
STEP = "recorded step against a bare one"
RESTORE = "one further restore against doing it bare, plus 0.3 s"
KERAS = "a Keras job, two restores, against one import"
FIT = "recorded fit against a bare one: "
LOOP = "recorded loop against a bare one: "
NETWORKS = ("dense", "convolution", "recurrent")
COMPARE = "comparing two recorded runs against 0.8 s"
BARS = {BY_HAND: 0.6, IMPORT: 3.0, STEP: 1.01, RESTORE: 1.0, KERAS: 3.0, COMPARE: 1.0} | {
    title + network: bar for title, bar in ((FIT, 1.02), (LOOP, 1.01)) for network in NETWORKS
}

QUICK = 0.8  # seconds allowed for a comparison
ALLOWANCE = 0.3  # seconds that a further restore may cost more than a bare one
PAIRS_A_REPEAT = 16  # pairs of blocks of steps


def by_hand(folder: Path, repeat: int) -> Pair:
    restores = ("--restore", "saver", "--restore", "ema")
    return side_by_side(
        lambda: timed("-m", "ckptcheck", "verify", "bn-nn", *restores, "--out", folder / "tool"),
        lambda: timed(HERE / "by_hand.py", folder / "by-hand"),
        repeat,
    )


def one_import(folder: Path, repeat: int) -> Pair:
    return side_by_side(
        lambda: timed("-m", "ckptcheck", "verify", "--out", folder / "default"),
        lambda: timed("-c", "import tensorflow"),
        repeat,
    )


def keras_job(folder: Path, repeat: int) -> Pair:
    job = f"{HERE / 'fit_jobs.py'}:Sixty"
    return side_by_side(
        lambda: timed("-m", "ckptcheck", "verify", job, "--steps", "60", "--out", folder / "keras"),
        lambda: timed("-c", "import tensorflow"),
        repeat,
    )


def comparing(folder: Path, repeat: int) -> Pair:
    for mode in ("control", "resumed"):
        python(HERE / "recorded.py", folder / mode, mode)
    return timed("-m", "ckptcheck", "compare", folder / "control", folder / "resumed"), QUICK


def further_restore(folder: Path, repeat: int) -> Pair:
    """Time a further restore, then a bare one, which needs the crash image of the control."""
    times: dict[str, float] = {}

    def watch(event: Event) -> None:
        if event.name.endswith("ema-none") and event.kind in ("started", "ended"):
            times[event.kind] = time.perf_counter()

    report = verify("bn-nn", ["saver", "ema-none"], folder=folder / "runs", watch=watch)
    outcomes = [case.outcome for case in report.cases]
    if outcomes != ["recovered", "recovered"]:
        raise NotMeasuredError(
            "bn-nn must recover with saver and ema-none, but the outcomes are "
            f"{' and '.join(outcomes)}."
        )
    bare = last_line(
        python(HERE / "inside.py", "restore", folder / "runs" / "bn-nn" / "crash-image@110")
    )
    return times["ended"] - times["started"], bare + ALLOWANCE


def steps(pairs: int) -> list[Pair]:
    timed_pairs = last_line(python(HERE / "inside.py", "steps", str(pairs)))
    return [(recorded, bare) for bare, recorded in timed_pairs]


MEASURED = {
    BY_HAND: by_hand,
    IMPORT: one_import,
    RESTORE: further_restore,
    KERAS: keras_job,
    COMPARE: comparing,
}


def measure(repeats: int) -> Measured:
    """Measure everything; report progress on standard error."""
    found: Measured = {name: [] for name in BARS}
    with tempfile.TemporaryDirectory(prefix="ckptcheck-benchmark-") as top:
        progress("reading everything into the page cache")
        timed("-m", "ckptcheck", "verify", "--out", Path(top) / "unmeasured")
        for repeat in range(repeats):
            for name, one in MEASURED.items():
                folder = Path(tempfile.mkdtemp(dir=top))
                found[name].append(one(folder, repeat))
                progress(f"repeat {repeat + 1} of {repeats}: {name}: {ratio(found[name][-1]):.3f}")
    count = PAIRS_A_REPEAT * repeats
    progress(f"{count} pairs of blocks: {STEP}")
    found[STEP] = steps(count)
    progress(f"{count} pairs of epochs of each network: {FIT.removesuffix(': ')}")
    measured = last_line(python(HERE / "fit_jobs.py", str(count)))
    for title, what in ((FIT, "fit"), (LOOP, "step")):
        for network, pairs in measured[what].items():
            found[title + network] = [(recorded, bare) for recorded, bare in pairs]
    return found


if __name__ == "__main__":
    sys.exit(main(__doc__ or "", BARS, measure, repeats=5))
