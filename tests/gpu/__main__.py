"""Verify every network on a device, and print a table: `python -m tests.gpu`."""

import sys
from concurrent.futures import ThreadPoolExecutor

import torch

from tests.gpu.cases import NETWORKS, Network, is_right, verified

AT_ONCE = 6


def row(item: tuple[str, Network]) -> tuple[bool, str]:
    """Verify a network; return whether it came out right, and its line of the table."""
    name, network = item
    try:
        (case,) = verified(network).cases
    except Exception as error:
        return False, f"| {name} | {type(error).__name__}: {error} | | | |"
    noise = case.noise and case.noise.first_difference
    is_repeated = case.noise is not None or case.outcome == "recovered"
    repeats = "no" if noise else "yes" if is_repeated else "–"
    tried = case.control.facts.tried if case.control else {}
    found = ", ".join(setting for setting, outcome in tried.items() if outcome == "equal")
    causes = ", ".join(each.cause for each in case.diagnoses)
    right = is_right(network, case)
    mark = "" if right else " (NOT as expected)"
    return right, f"| {name} | {repeats} | {case.outcome}{mark} | {causes} | {found or '–'} |"


def main() -> int:
    if not torch.cuda.is_available():
        print("There is no device here that PyTorch can use.")
        return 2
    print(f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}")
    print("| network | repeats its bits | outcome | causes | made repeatable by |")
    print("|---|---|---|---|---|")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        rows = []
        for right, line in pool.map(row, NETWORKS.items()):
            print(line, flush=True)
            rows.append(right)
    return 0 if all(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
