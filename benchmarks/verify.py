"""What a verification costs: ratios, each of two things measured side by side in one run, and the bar each must not pass.

    python benchmarks/verify.py [--repeats N] [--json]

1. verify against a script by hand: wall time of `ckptcheck verify bn-nn --restore saver --restore ema`, report and figure
   included, over that of `benchmarks/by_hand.py`, the script a user would write: three processes, one after the other.
2. six default cases against one import: wall time of `ckptcheck verify` over that of `python -c "import tensorflow"`.
3. recorded step against a bare one: blocks of training steps in one process, with the tool's recording and without it.
4. one further restore against doing it bare, plus 0.3 s: a further restore of bn-nn from the start of its process to the
   end of it, over the same done in a process that has TensorFlow imported, plus 0.3 s.
5. a Keras job against one import: wall time of `ckptcheck verify benchmarks/fit_jobs.py:Sixty --steps 60`, two restores,
   over that of the import.
6. recorded `fit` against a bare one, on three networks: epochs of two equal models, one of them under watch.
7. comparing two recorded runs against 0.8 s: wall time of `ckptcheck compare`, start-up included.

A ratio is the median over the ratios of repeats (3 and 6: of pairs of blocks) whose two sides ran right after one another, in
alternating order where one does not need the other. Takes some 75 s a repeat on 2 cores; other load on the machine shows.
Exits with 0 whether the bars are met or not, with 1 when something could not be measured.
"""

import sys
import tempfile
import time
from pathlib import Path

from side_by_side import (
    HERE,
    Found,
    NotMeasuredError,
    Pair,
    last_line,
    main,
    python,
    ratio,
    side_by_side,
    tell,
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
NETWORKS = ("dense", "convolution", "recurrent")
COMPARE = "comparing two recorded runs against 0.8 s"
BARS = {BY_HAND: 0.6, IMPORT: 3.0, STEP: 1.01, RESTORE: 1.0, KERAS: 3.0, COMPARE: 1.0} | {
    FIT + network: 1.02 for network in NETWORKS
}

QUICK = 0.8  # seconds that comparing may take
ALLOWANCE = 0.3  # seconds a further restore may cost beyond what it costs bare
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
    """The bare one reads the crash image that the tool's control leaves, so it always comes second."""
    heard: dict[str, float] = {}

    def watch(event: Event) -> None:
        if event.name.endswith("ema-none") and event.kind in ("started", "ended"):
            heard[event.kind] = time.perf_counter()

    report = verify("bn-nn", ["saver", "ema-none"], folder=folder / "runs", watch=watch)
    outcomes = [case.outcome for case in report.cases]
    if outcomes != ["recovered", "recovered"]:
        raise NotMeasuredError(
            f"bn-nn with saver and ema-none should recover; it is {' and '.join(outcomes)}."
        )
    bare = last_line(
        python(HERE / "inside.py", "restore", folder / "runs" / "bn-nn" / "crash-image@110")
    )
    return heard["ended"] - heard["started"], bare + ALLOWANCE


def steps(pairs: int) -> list[Pair]:
    found = last_line(python(HERE / "inside.py", "steps", str(pairs)))
    return [(recorded, bare) for bare, recorded in found]


MEASURED = {
    BY_HAND: by_hand,
    IMPORT: one_import,
    RESTORE: further_restore,
    KERAS: keras_job,
    COMPARE: comparing,
}


def measure(repeats: int) -> Found:
    """Measure everything; say on standard error how far it is."""
    found: Found = {name: [] for name in BARS}
    with tempfile.TemporaryDirectory(prefix="ckptcheck-benchmark-") as top:
        tell("reading everything into the page cache")
        timed("-m", "ckptcheck", "verify", "--out", Path(top) / "unmeasured")
        for repeat in range(repeats):
            for name, one in MEASURED.items():
                folder = Path(tempfile.mkdtemp(dir=top))
                found[name].append(one(folder, repeat))
                tell(f"repeat {repeat + 1} of {repeats}: {name}: {ratio(found[name][-1]):.3f}")
    tell(f"{PAIRS_A_REPEAT * repeats} pairs of blocks: {STEP}")
    found[STEP] = steps(PAIRS_A_REPEAT * repeats)
    tell(
        f"{PAIRS_A_REPEAT * repeats} pairs of epochs of each network: recorded fit against a bare one"
    )
    for network, pairs in last_line(
        python(HERE / "fit_jobs.py", str(PAIRS_A_REPEAT * repeats))
    ).items():
        found[FIT + network] = [(recorded, bare) for recorded, bare in pairs]
    return found


if __name__ == "__main__":
    sys.exit(main(__doc__ or "", BARS, measure, repeats=5))
