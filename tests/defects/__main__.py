"""Print the defect matrix: run `python -m tests.defects` at the top of the repository."""

import argparse
import sys
import tempfile
from pathlib import Path

from .matrix import Row, run, run_some, table, wrong
from .planted import VARIANTS, Planted, planted


def main() -> int:
    """Verify the planted defects, and print the matrix. Return 0 if every row is right, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.defects", description=__doc__)
    parser.add_argument(
        "--variant",
        type=int,
        action="append",
        choices=VARIANTS,
        help="plant this variant of names, shapes and optimizers; repeatable; default: all",
    )
    parser.add_argument(
        "--clean",
        type=int,
        metavar="N",
        help="verify every clean case N times instead, and count false alarms",
    )
    arguments = parser.parse_args()
    variants = arguments.variant or list(VARIANTS)
    rows = _repeated(arguments.clean, variants) if arguments.clean else _once(planted(), variants)
    print(table(rows))
    for line in wrong(rows):
        print(line, file=sys.stderr)
    return 1 if wrong(rows) else 0


def _once(all_planted: list[Planted], variants: list[int]) -> list[Row]:
    rows: list[Row] = []
    for variant in variants:
        with tempfile.TemporaryDirectory() as folder:
            rows += run(all_planted, variant, Path(folder))
    return rows


def _repeated(times: int, variants: list[int]) -> list[Row]:
    clean = [each for each in planted() if each.what == "clean"]
    rows: list[Row] = []
    for number in range(times):
        with tempfile.TemporaryDirectory() as folder:
            rows += run_some(clean, variants[number % len(variants)], Path(folder))
    return rows


if __name__ == "__main__":
    sys.exit(main())
