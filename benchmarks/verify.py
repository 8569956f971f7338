"""What a verification costs: four ratios, each of two things measured side by side in one run, and the bar each must not pass.

    python benchmarks/verify.py [--repeats N] [--json]

1. verify against a script by hand: wall time of `ckptcheck verify bn-nn --restore saver --restore ema`, report and figure
   included, over that of `benchmarks/by_hand.py`, the script a user would write: three processes, one after the other.
2. six default cases against one import: wall time of `ckptcheck verify` over that of `python -c "import tensorflow"`.
3. recorded step against a bare one: blocks of training steps in one process, with the tool's recording and without it.
4. one further restore against doing it bare, plus 0.3 s: a further restore of bn-nn from the start of its process to the
   end of it, over the same done in a process that has TensorFlow imported, plus 0.3 s.

A ratio is the median over the ratios of repeats (3: of pairs of blocks) whose two sides ran right after one another, in
alternating order where one does not need the other. Takes some 45 s a repeat on 2 cores; other load on the machine shows.
Exits with 0 whether the bars are met or not, with 1 when something could not be measured.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ckptcheck.environment import cores
from ckptcheck.errors import CkptcheckError
from ckptcheck.processes import Event
from ckptcheck.verify import verify

HERE = Path(__file__).resolve().parent
BY_HAND = "verify against a script by hand"
IMPORT = "six default cases against one import"
STEP = "recorded step against a bare one"
RESTORE = "one further restore against doing it bare, plus 0.3 s"
BARS = {BY_HAND: 0.6, IMPORT: 3.0, STEP: 1.01, RESTORE: 1.0}

ALLOWANCE = 0.3  # seconds a further restore may cost beyond what it costs bare
PAIRS_A_REPEAT = 16  # pairs of blocks of steps
TIMEOUT = 600.0

# Seconds of the tool, seconds of what it is held against.
Pair = tuple[float, float]
Measure = Callable[[], float]


class NotMeasuredError(Exception):
    """A process that was to be timed failed, or did not do what it was timed for."""


def python(*arguments: str | Path) -> str:
    """Run Python in a process of its own and return what it printed; its warnings and logs are kept from our output."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise NotMeasuredError(f"{' '.join(command)} left with status {done.returncode}:\n{last}")
    return done.stdout


def timed(*arguments: str | Path) -> float:
    started = time.perf_counter()
    python(*arguments)
    return time.perf_counter() - started


def last_line(printed: str) -> Any:
    return json.loads(printed.splitlines()[-1])


def side_by_side(tool: Measure, other: Measure, repeat: int) -> Pair:
    """Measure both; which of the two comes first alternates with the repeats."""
    if repeat % 2:
        seconds = other()
        return tool(), seconds
    return tool(), other()


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


def further_restore(folder: Path, repeat: int) -> Pair:
    """The bare one reads the crash image that the tool's control leaves, so it always comes second."""
    heard: dict[str, float] = {}

    def watch(event: Event) -> None:
        if event.name.endswith("ema-none") and event.kind in ("started", "ended"):
            heard[event.kind] = time.perf_counter()

    report = verify("bn-nn", ["saver", "ema-none"], folder=folder / "runs", watch=watch)
    outcomes = [case.outcome for case in report.cases]
    if outcomes != ["recovered", "recovered"]:
        raise NotMeasuredError(f"bn-nn with saver and ema-none should recover; it is {' and '.join(outcomes)}.")
    bare = last_line(python(HERE / "inside.py", "restore", folder / "runs" / "bn-nn" / "crash-image"))
    return heard["ended"] - heard["started"], bare + ALLOWANCE


def steps(pairs: int) -> list[Pair]:
    found = last_line(python(HERE / "inside.py", "steps", str(pairs)))
    return [(recorded, bare) for bare, recorded in found]


def measure(repeats: int) -> dict[str, list[Pair]]:
    """Measure everything; say on standard error how far it is."""
    found: dict[str, list[Pair]] = {name: [] for name in BARS}
    with tempfile.TemporaryDirectory(prefix="ckptcheck-benchmark-") as top:
        tell("reading everything into the page cache")
        timed("-m", "ckptcheck", "verify", "--out", Path(top) / "unmeasured")
        for repeat in range(repeats):
            for name, one in ((BY_HAND, by_hand), (IMPORT, one_import), (RESTORE, further_restore)):
                folder = Path(tempfile.mkdtemp(dir=top))
                found[name].append(one(folder, repeat))
                tell(f"repeat {repeat + 1} of {repeats}: {name}: {ratio(found[name][-1]):.3f}")
    tell(f"{PAIRS_A_REPEAT * repeats} pairs of blocks: {STEP}")
    found[STEP] = steps(PAIRS_A_REPEAT * repeats)
    return found


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def ratio(pair: Pair) -> float:
    return pair[0] / pair[1]


def results(found: dict[str, list[Pair]]) -> dict[str, dict[str, Any]]:
    """Return the ratio of each bar, the bar, and whether it is met."""
    ratios = {name: statistics.median(map(ratio, found[name])) for name in BARS}
    return {name: {"ratio": ratios[name], "bar": bar, "met": ratios[name] <= bar} for name, bar in BARS.items()}


def table(found: dict[str, list[Pair]]) -> str:
    """Lay the results out for a reader: with the middle half of the ratios and the median seconds of both sides."""
    lines = [f"{'':<{WIDTH}}  ratio    bar         middle half    tool, s   other, s"]
    for name, result in results(found).items():
        low, high = middle_half([ratio(pair) for pair in found[name]])
        tool, other = (statistics.median(side) for side in zip(*found[name], strict=True))
        lines.append(
            f"{name:<{WIDTH}} {result['ratio']:6.3f} {result['bar']:6.2f}  {'met' if result['met'] else 'NOT':<3}"
            f"  {low:6.3f}–{high:.3f}  {tool:9.3f}  {other:9.3f}"
        )
    lines.append(f"{cores()} cores, TensorFlow {version('tensorflow')}, Python {sys.version.split()[0]}")
    return "\n".join(lines)


WIDTH = max(map(len, BARS))


def middle_half(ratios: Sequence[float]) -> tuple[float, float]:
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else [ratios[0]] * 3
    return low, high


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="how often each is measured (default: 5)")
    parser.add_argument("--json", action="store_true", help="print one JSON object, and nothing else")
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        parser.error("there must be at least 1 repeat")
    try:
        found = measure(arguments.repeats)
    except (NotMeasuredError, CkptcheckError, subprocess.TimeoutExpired) as error:
        tell(f"Not measured: {error}")
        return 1
    print(json.dumps(results(found)) if arguments.json else table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
