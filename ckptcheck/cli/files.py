"""The commands for checkpoint files: parse, call, print. None of them imports a framework.

Each imports its tools when it runs, so that `--help` and other commands need not wait for NumPy.
"""

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ckptcheck.cli.grouped import Decorator, GroupedCommand, option
from ckptcheck.cli.options import ACCEPTED, OUTPUT, PATH, WHAT
from ckptcheck.errors import NotVerifiedError, UsageError
from ckptcheck.text_safety import shown

if TYPE_CHECKING:
    from ckptcheck.filetools.progress import Progress

EXIT_CODES = "2 the request is wrong; 3 a checkpoint cannot be read."
INTERRUPTED = "Interrupted before everything was read: there is no result."

_json = option("--json", is_flag=True, help="Print JSON, and nothing else.", group=OUTPUT)


def _tolerance(name: str, differences: str) -> Decorator:
    return option(
        name,
        multiple=True,
        metavar="X|KIND=X",
        help=f"Accept {differences} differences up to X in floats, or only in one kind of tensor, "
        "such as slot=1e-6. Repeatable.",
        group=ACCEPTED,
    )


@click.command(
    cls=GroupedCommand,
    epilog=f"Exit codes: 0 success; {EXIT_CODES}",
    examples=(
        ("inspect checkpoints", "The newest checkpoint in a folder:"),
        ("inspect model.keras --match '*dense*'", "Only some tensors:"),
        ("inspect checkpoints/ckpt-2 --csv > tensors.csv", "As a table for a program:"),
    ),
)
@click.argument("checkpoint", type=PATH, metavar="CKPT")
@option(
    "--match",
    default="*",
    metavar="GLOB",
    help="Read only tensors whose names match GLOB.",
    group=WHAT,
)
@option("--csv", is_flag=True, help="Print the tensors as CSV, and nothing else.", group=OUTPUT)
@_json
def inspect(checkpoint: Path, match: str, csv: bool, json: bool) -> None:
    """List the tensors of a checkpoint, and predict its restores.

    CKPT is a checkpoint's prefix, one of its files, or a folder. In a folder, the state file
    selects the checkpoint. No framework is needed.
    """
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


@click.command(
    cls=GroupedCommand,
    epilog=f"Exit codes: 0 the same; 1 different; {EXIT_CODES}",
    examples=(
        ("diff checkpoints/ckpt-1 checkpoints/ckpt-2", "Two saves of a training:"),
        ("diff model.keras exported.keras --rtol 1e-6", "Two files, within a tolerance:"),
        ("diff checkpoints/ckpt-1 checkpoints/ckpt-2 --json", "For a program:"),
    ),
)
@click.argument("a", type=PATH)
@click.argument("b", type=PATH)
@_tolerance("--rtol", "relative")
@_tolerance("--atol", "absolute")
@option("--equal-nan", is_flag=True, help="Count NaN as equal to NaN.", group=ACCEPTED)
@_json
def diff(
    a: Path, b: Path, rtol: Sequence[str], atol: Sequence[str], equal_nan: bool, json: bool
) -> None:
    """Compare the names, types, shapes and values of two checkpoints.

    A and B are each a checkpoint's prefix, one of its files, or a folder. The worst difference
    comes first. No framework is needed.
    """
    from ckptcheck.filetools.diff import diff
    from ckptcheck.filetools.diff_text import text
    from ckptcheck.filetools.tables import width
    from ckptcheck.filetools.tolerances import tolerances

    overall, by_kind = tolerances(rtol, atol, equal_nan)
    with _reading() as progress:
        difference = diff(a, b, tolerance=overall, by_kind=by_kind, progress=progress)
    _print(difference.to_json().splitlines() if json else text(difference, width()))
    raise click.exceptions.Exit(difference.exit_code)


@click.command(
    cls=GroupedCommand,
    examples=(
        ("fsck checkpoints", "Every checkpoint in a folder:"),
        ("fsck checkpoints/ckpt-2", "One checkpoint:"),
        ("fsck checkpoints --strict --json", "In CI, warnings included:"),
    ),
    epilog="Exit codes: 0 whole; 1 a restore fails or is wrong; "
    + EXIT_CODES.replace("read", "checked"),
)
@click.argument("path", type=PATH, metavar="DIR|CKPT")
@option("--strict", is_flag=True, help="Exit 1 on warnings, too.", group=ACCEPTED)
@_json
def fsck(path: Path, strict: bool, json: bool) -> None:
    """Check that checkpoints are whole and would restore correctly.

    DIR is a folder, checked with its subfolders; CKPT is a single checkpoint. No framework is
    needed.
    """
    from ckptcheck.filetools.fsck import fsck
    from ckptcheck.filetools.fsck_text import text
    from ckptcheck.filetools.tables import width

    with _reading() as progress:
        check = fsck(path, progress=progress)
    _print(check.to_json().splitlines() if json else text(check, strict, width()))
    raise click.exceptions.Exit(check.exit_code(strict))


@click.command(
    cls=GroupedCommand,
    examples=(
        ("seal model.keras", "A file:"),
        ("seal checkpoints/ckpt-2", "A checkpoint of several files:"),
        ("seal checkpoints/ckpt-1 checkpoints/ckpt-2", "Several checkpoints:"),
    ),
    epilog=f"Exit codes: 0 sealed; {EXIT_CODES}",
)
@click.argument("checkpoints", type=PATH, nargs=-1, required=True, metavar="CKPT...")
def seal(checkpoints: tuple[Path, ...]) -> None:
    """Keep digests of checkpoints with them, which fsck compares.

    CKPT is a checkpoint's prefix, one of its files, or a folder. The digests of every tensor and
    file are in a hidden file beside it, or inside the folder. No framework is needed.
    """
    from ckptcheck.counts import counted
    from ckptcheck.filetools.seal import seal
    from ckptcheck.filetools.tables import size

    for checkpoint in checkpoints:
        try:
            with _reading() as progress:
                sealed = seal(checkpoint, progress=progress)
        except OSError as error:
            raise UsageError(f"The seal cannot be written: {error.strerror}.") from None
        held = f"{counted(sealed.tensors, 'tensor')}, {size(sealed.bytes)}"
        files = f"{counted(sealed.files, 'file')}, {sealed.seal}"
        _print([f"Sealed {sealed.checkpoint}: {held} in {files}."])


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
    # Names in files may hold control characters.
    print("\n".join(map(shown, lines)), flush=True)
