"""Shared by the benchmarks: time two things side by side in one run, and print their ratios.

A ratio is the median over repeats. The two sides of a repeat run right after each other, in
alternating order.
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

# Seconds of the tool, seconds of its alternative.
Pair = tuple[float, float]
Measure = Callable[[], float]
Measured = dict[str, list[Pair]]


class NotMeasuredError(Exception):
    """A timed process failed, or gave a wrong result."""


def python(*arguments: str | Path) -> str:
    """Run Python in a new process and return its standard output; hide its warnings and logs."""
    command = [sys.executable, *map(str, arguments)]
    result = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    if result.returncode != 0:
        last = "\n".join((result.stdout + result.stderr).strip().splitlines()[-15:])
        raise NotMeasuredError(
            f"{' '.join(command)} exited with status {result.returncode}:\n{last}"
        )
    return result.stdout


def timed_output(*arguments: str | Path) -> tuple[float, str]:
    started = time.perf_counter()
    printed = python(*arguments)
    return time.perf_counter() - started, printed


def timed(*arguments: str | Path) -> float:
    return timed_output(*arguments)[0]


def last_line(printed: str) -> Any:
    return json.loads(printed.splitlines()[-1])


def side_by_side(tool: Measure, other: Measure, repeat: int) -> Pair:
    """Measure both; the order alternates with the repeats."""
    if repeat % 2:
        seconds = other()
        return tool(), seconds
    return tool(), other()


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def ratio(pair: Pair) -> float:
    return pair[0] / pair[1]


def results(found: Measured, bars: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """Return, for each bar: the measured ratio, the bar, and whether it is met."""
    ratios = {name: statistics.median(map(ratio, found[name])) for name in bars}
    return {
        name: {"ratio": ratios[name], "bar": bar, "met": ratios[name] <= bar}
        for name, bar in bars.items()
    }


def table(found: Measured, bars: Mapping[str, float]) -> str:
    """Return the results as text, with the middle half of the ratios and the median seconds."""
    width = max(map(len, bars))
    lines = [f"{'':<{width}}  ratio    bar         middle half    tool, s   other, s"]
    for name, result in results(found, bars).items():
        low, high = middle_half([ratio(pair) for pair in found[name]])
        tool, other = (statistics.median(side) for side in zip(*found[name], strict=True))
        met = "met" if result["met"] else "NOT"
        lines.append(
            f"{name:<{width}} {result['ratio']:6.3f} {result['bar']:6.2f}  {met}"
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
    description: str, bars: Mapping[str, float], measure: Callable[[int], Measured], repeats: int
) -> int:
    """Measure, print, and return the exit code: 1 if something could not be measured, else 0."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--repeats", type=int, default=repeats, metavar="N", help=f"measure N times ({repeats})"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object, and nothing else"
    )
    arguments = parser.parse_args()
    if arguments.repeats < 1:
        parser.error(f"--repeats must be at least 1, not {arguments.repeats}")
    try:
        found = measure(arguments.repeats)
    except (NotMeasuredError, CkptcheckError, subprocess.TimeoutExpired) as error:
        progress(f"Not measured: {error}")
        return 1
    print(json.dumps(results(found, bars)) if arguments.json else table(found, bars))
    return 0
