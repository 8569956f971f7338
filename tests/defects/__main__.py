"""Print the defect matrix: run `python -m tests.defects` at the top of the repository.

There is a table for each framework. One that is not installed is skipped.
"""

import argparse
import importlib.util
import sys
import tempfile
from pathlib import Path

from .matrix import Row, run, run_some, table, wrong
from .planted import FRAMEWORKS, MODULES, VARIANTS, Planted, planted


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
    parser.add_argument(
        "--sample", action="store_true", help="plant everything once: each file in one variant"
    )
    parser.add_argument("--framework", choices=FRAMEWORKS, help="default: every installed one")
    arguments = parser.parse_args()
    variants = arguments.variant or list(VARIANTS)
    is_wrong, is_run = False, False
    for framework in [arguments.framework] if arguments.framework else FRAMEWORKS:
        of_it = [each for each in planted() if each.framework == framework]
        if importlib.util.find_spec(framework) is None:
            print(f"{len(of_it)} planted cases are skipped, because {framework} is not installed.")
            continue
        rows = _rows(of_it, variants, arguments)
        print(table(rows), flush=True)
        for line in wrong(rows):
            print(line, file=sys.stderr)
        is_wrong, is_run = is_wrong or bool(wrong(rows)), True
    return 1 if is_wrong or not is_run else 0


def _rows(of_it: list[Planted], variants: list[int], arguments: argparse.Namespace) -> list[Row]:
    if arguments.clean:
        return _repeated(of_it, arguments.clean, variants)
    if not arguments.sample:
        return _once(of_it, variants)
    rows: list[Row] = []
    for number, module in enumerate(MODULES):
        here = [each for each in of_it if each.module == module]
        rows += _once(here, [variants[number % len(variants)]])
    return rows


def _once(all_planted: list[Planted], variants: list[int]) -> list[Row]:
    rows: list[Row] = []
    for variant in variants:
        with tempfile.TemporaryDirectory() as folder:
            rows += run(all_planted, variant, Path(folder))
    return rows


def _repeated(all_planted: list[Planted], times: int, variants: list[int]) -> list[Row]:
    clean = [each for each in all_planted if each.what == "clean"]
    rows: list[Row] = []
    for number in range(times):
        with tempfile.TemporaryDirectory() as folder:
            rows += run_some(clean, variants[number % len(variants)], Path(folder))
    return rows


if __name__ == "__main__":
    sys.exit(main())
