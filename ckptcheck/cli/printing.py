"""A result on standard output, its warnings on standard error."""

import contextlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from rich.console import Console


class Result(Protocol):
    """What a command comes to: a report or a study."""

    def warnings(self) -> list[str]:
        """Return what a reader must know beside the result."""

    def to_json(self) -> str:
        """Return the result as one JSON document."""


AnyResult = TypeVar("AnyResult", bound=Result)


def print_result(result: AnyResult, json: bool, show: "Callable[[AnyResult, Console], None]", where: str = "") -> None:
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
