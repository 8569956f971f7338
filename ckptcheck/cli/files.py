"""The commands for checkpoint files: parse, call, print. None of them imports TensorFlow.

Each loads what it needs when it is given, so that `--help` and the other commands need not wait for NumPy.
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

EXIT_CODES = "2 the request itself is wrong; 3 a checkpoint cannot be read."
INTERRUPTED = "Interrupted: not everything was read, so nothing is said of it."

Checkpoint = Annotated[
    Path,
    typer.Argument(
        metavar="CKPT",
        help="A prefix, a file of a checkpoint, or a folder: its state file decides.",
    ),
]
Tolerances = Annotated[
    list[str] | None,
    typer.Option(
        metavar="X|KIND=X",
        help="Tolerate so much, of all floats or of a kind (slot=1e-6); may be repeated.",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON on standard output, and nothing else.")
]


def add_to(app: typer.Typer) -> None:
    """Give the commands to the command line."""
    app.command(epilog=f"Exit codes: 0; {EXIT_CODES}")(inspect)
    app.command(epilog=f"Exit codes: 0 the same; 1 different; {EXIT_CODES}")(diff)
    checked = EXIT_CODES.replace("read", "checked")
    app.command(epilog=f"Exit codes: 0 whole; 1 a restore would fail, or be wrong; {checked}")(fsck)


def inspect(
    checkpoint: Checkpoint,
    match: Annotated[str, typer.Option(metavar="GLOB", help="Only tensors of such names.")] = "*",
    csv: Annotated[
        bool, typer.Option("--csv", help="Print the tensors as CSV, and nothing else.")
    ] = False,
    json: Json = False,
) -> None:
    """Say what is in a checkpoint: a row a tensor, by kind, and what restores would meet. Needs no TensorFlow."""
    from ckptcheck.filetools.inspect import inspect
    from ckptcheck.filetools.inspect_text import text
    from ckptcheck.filetools.tables import width

    if csv and json:
        raise UsageError("--csv and --json are two outputs; choose one.")
    with _reading() as progress:
        inspection = inspect(checkpoint, match, progress=progress)
    if csv or json:
        _print((inspection.to_csv() if csv else inspection.to_json()).splitlines())
    else:
        _print(text(inspection, width()))


def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="A checkpoint.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
    rtol: Tolerances = None,
    atol: Tolerances = None,
    equal_nan: Annotated[
        bool, typer.Option("--equal-nan", help="Count NaN as equal to NaN.")
    ] = False,
    json: Json = False,
) -> None:
    """Say how two checkpoints differ: names, types, shapes, values, the worst first. Needs no TensorFlow."""
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
            metavar="DIR|CKPT", help="A folder with all that is in it, or one checkpoint."
        ),
    ],
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 for what only deserves a look, too.")
    ] = False,
    json: Json = False,
) -> None:
    """Say whether checkpoints are whole, and whether a restore would take the right one. Needs no TensorFlow."""
    from ckptcheck.filetools.fsck import fsck
    from ckptcheck.filetools.fsck_text import text

    with _reading() as progress:
        check = fsck(path, progress=progress)
    _print(check.to_json().splitlines() if json else text(check, strict))
    raise typer.Exit(check.exit_code(strict))


@contextlib.contextmanager
def _reading() -> "Iterator[Progress]":
    """Read as fast as may be, and show on a terminal how much has been read."""
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
    # A reader who has seen enough (`| head`) closes the pipe; the verdict stays what it is.
    with contextlib.suppress(BrokenPipeError):
        # Names in files may hold anything, such as what moves the cursor.
        print("\n".join(map(shown, lines)), flush=True)
