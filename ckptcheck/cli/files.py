"""The commands for checkpoint files: parse, call, print. None of them imports TensorFlow.

Each imports its tools when it runs, so that `--help` and other commands need not wait for NumPy.
"""

import contextlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ckptcheck.errors import NotVerifiedError, UsageError
from ckptcheck.text_safety import shown

if TYPE_CHECKING:
    from ckptcheck.filetools.progress import Progress

EXIT_CODES = "2 invalid request; 3 a checkpoint cannot be read."
INTERRUPTED = "Interrupted before everything was read: there is no result."

Checkpoint = Annotated[
    Path,
    typer.Argument(
        metavar="CKPT",
        help="A checkpoint's prefix, one of its files, or a folder; "
        "in a folder, the state file selects the checkpoint.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")]


def _tolerance(differences: str) -> object:
    return typer.Option(
        metavar="X|KIND=X",
        help=f"Accept {differences} differences up to X in floats, or only in one kind of tensor, "
        "such as slot=1e-6. Repeatable.",
    )


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(epilog=f"Exit codes: 0 success; {EXIT_CODES}")(inspect)
    app.command(epilog=f"Exit codes: 0 the same; 1 different; {EXIT_CODES}")(diff)
    checked = EXIT_CODES.replace("read", "checked")
    app.command(epilog=f"Exit codes: 0 whole; 1 a restore fails or is wrong; {checked}")(fsck)


def inspect(
    checkpoint: Checkpoint,
    match: Annotated[
        str, typer.Option(metavar="GLOB", help="Read only tensors whose names match GLOB.")
    ] = "*",
    csv: Annotated[
        bool, typer.Option("--csv", help="Print the tensors as CSV, and nothing else.")
    ] = False,
    json: Json = False,
) -> None:
    """List a checkpoint's tensors by kind, and predict its restores. Works without TensorFlow."""
    from ckptcheck.filetools.inspect import inspect
    from ckptcheck.filetools.inspect_text import text
    from ckptcheck.filetools.tables import width

    if csv and json:
        raise UsageError("--csv and --json exclude each other: choose one.")
    with _reading() as progress:
        inspection = inspect(checkpoint, match, progress=progress)
    if csv or json:
        _print((inspection.to_csv() if csv else inspection.to_json()).splitlines())
    else:
        _print(text(inspection, width()))


def diff(
    a: Annotated[
        Path, typer.Argument(metavar="A", help="The first checkpoint: a prefix, file or folder.")
    ],
    b: Annotated[
        Path, typer.Argument(metavar="B", help="The second checkpoint: a prefix, file or folder.")
    ],
    rtol: Annotated[list[str] | None, _tolerance("relative")] = None,
    atol: Annotated[list[str] | None, _tolerance("absolute")] = None,
    equal_nan: Annotated[
        bool, typer.Option("--equal-nan", help="Count NaN as equal to NaN.")
    ] = False,
    json: Json = False,
) -> None:
    """Compare two checkpoints: names, types, shapes and values. Works without TensorFlow."""
    from ckptcheck.filetools.diff import diff
    from ckptcheck.filetools.diff_text import text
    from ckptcheck.filetools.tables import width
    from ckptcheck.filetools.tolerances import tolerances

    overall, by_kind = tolerances(rtol or [], atol or [], equal_nan)
    with _reading() as progress:
        difference = diff(a, b, tolerance=overall, by_kind=by_kind, progress=progress)
    _print(difference.to_json().splitlines() if json else text(difference, width()))
    raise typer.Exit(difference.exit_code)


def fsck(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|CKPT", help="A folder, with its subfolders, or a single checkpoint."
        ),
    ],
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 on warnings, too.")] = False,
    json: Json = False,
) -> None:
    """Check that checkpoints are whole and would restore correctly. Works without TensorFlow."""
    from ckptcheck.filetools.fsck import fsck
    from ckptcheck.filetools.fsck_text import text

    with _reading() as progress:
        check = fsck(path, progress=progress)
    _print(check.to_json().splitlines() if json else text(check, strict))
    raise typer.Exit(check.exit_code(strict))


@contextlib.contextmanager
def _reading() -> "Iterator[Progress]":
    """Set the process up for fast reads, and show progress on a terminal."""
    from ckptcheck.filetools.allocator import for_one_read
    from ckptcheck.filetools.progress import Progress, on_terminal

    for_one_read()
    try:
        with (
            on_terminal() if sys.stderr.isatty() else contextlib.nullcontext(Progress()) as progress
        ):
            yield progress
    except KeyboardInterrupt:
        raise NotVerifiedError(INTERRUPTED) from None


def _print(lines: Iterable[str]) -> None:
    # `| head` closes the pipe early; the exit code must not change.
    with contextlib.suppress(BrokenPipeError):
        # Names in files may hold control characters.
        print("\n".join(map(shown, lines)), flush=True)
