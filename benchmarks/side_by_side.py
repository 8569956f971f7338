"""What the benchmarks share: two things timed side by side in one run, their ratios, and a table of them.

A ratio is the median over the ratios of repeats whose two sides ran right after one another, in alternating order.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ckptcheck.cores import cores
from ckptcheck.errors import CkptcheckError

HERE = Path(__file__).resolve().parent
TIMEOUT = 900.0

# Seconds of the tool, seconds of what it is held against.
Pair = tuple[float, float]
Measure = Callable[[], float]
Found = dict[str, list[Pair]]


class NotMeasuredError(Exception):
    """A process that was to be timed failed, or did not do what it was timed for."""


def python(*arguments: str | Path) -> str:
    """Run Python in a process of its own and return what it printed; its warnings and logs are kept from our output."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise NotMeasuredError(f"{' '.join(command)} left with status {done.returncode}:\n{last}")
    return done.stdout


def timed_output(*arguments: str | Path) -> tuple[float, str]:
    started = time.perf_counter()
    printed = python(*arguments)
    return time.perf_counter() - started, printed


def timed(*arguments: str | Path) -> float:
    return timed_output(*arguments)[0]


def last_line(printed: str) -> Any:
    return json.loads(printed.splitlines()[-1])


def side_by_side(tool: Measure, other: Measure, repeat: int) -> Pair:
    """Measure both; which of the two comes first alternates with the repeats."""
    if repeat % 2:
        seconds = other()
        return tool(), seconds
    return tool(), other()


def tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def ratio(pair: Pair) -> float:
    return pair[0] / pair[1]


def results(found: Found, bars: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """Return the ratio of each bar, the bar, and whether it is met."""
    ratios = {name: statistics.median(map(ratio, found[name])) for name in bars}
    return {
        name: {"ratio": ratios[name], "bar": bar, "met": ratios[name] <= bar}
        for name, bar in bars.items()
    }


def table(found: Found, bars: Mapping[str, float]) -> str:
    """Lay the results out for a reader: with the middle half of the ratios and the median seconds of both sides."""
    width = max(map(len, bars))
    lines = [f"{'':<{width}}  ratio    bar         middle half    tool, s   other, s"]
    for name, result in results(found, bars).items():
        low, high = middle_half([ratio(pair) for pair in found[name]])
        tool, other = (statistics.median(side) for side in zip(*found[name], strict=True))
        lines.append(
            f"{name:<{width}} {result['ratio']:6.3f} {result['bar']:6.2f}  {'met' if result['met'] else 'NOT':<3}"
            f"  {low:6.3f}–{high:.3f}  {tool:9.3f}  {other:9.3f}"
        )
    lines.append(
        f"{cores()} cores, TensorFlow {version('tensorflow')}, Python {sys.version.split()[0]}"
    )
    return "\n".join(lines)


def middle_half(ratios: Sequence[float]) -> tuple[float, float]:
    low, _, high = (
        statistics.quantiles(ratios, n=4, method="inclusive")
        if len(ratios) > 1
        else [ratios[0]] * 3
    )
    return low, high


def main(
    description: str, bars: Mapping[str, float], measure: Callable[[int], Found], repeats: int
) -> int:
    """Measure, print, and return the exit code: 0 whether the bars are met or not, 1 when something could not be measured."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--repeats", type=int, default=repeats, metavar="N", help=f"how often (default: {repeats})"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object, and nothing else"
    )
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        parser.error("there must be at least 1 repeat")
    try:
        found = measure(arguments.repeats)
    except (NotMeasuredError, CkptcheckError, subprocess.TimeoutExpired) as error:
        tell(f"Not measured: {error}")
        return 1
    print(json.dumps(results(found, bars)) if arguments.json else table(found, bars))
    return 0
