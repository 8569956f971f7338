"""A result on standard output, its warnings on standard error."""

import contextlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

    from ckptcheck.report.report import Report
    from ckptcheck.studies.summary import Study

Result = TypeVar("Result", "Report", "Study")


def print_result(
    result: Result, json: bool, show: "Callable[[Result, Console], None]", where: str = ""
) -> None:
    """Print a result as JSON, or as `show` does, and where the rest of it is."""
    from rich.console import Console  # takes its time, and `--help` needs none

    for warning in result.warnings():
        print(f"ckptcheck: warning: {warning}", file=sys.stderr)
    # A reader who has seen enough (`| head`) closes the pipe; the verdict stays what it is.
    with contextlib.suppress(BrokenPipeError):
        if json:
            print(result.to_json(), flush=True)
        else:
            show(result, Console(highlight=False))
            print(where, end="\n" if where else "", flush=True)
