"""Print results on standard output, and their warnings on standard error."""

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ckptcheck.errors import UsageError
from ckptcheck.text_safety import shown

if TYPE_CHECKING:
    from rich.console import Console

    from ckptcheck.drills.drilled import DrillReport
    from ckptcheck.drills.savers.study import SaversReport
    from ckptcheck.report.report import Report
    from ckptcheck.studies.summary import Study

Result = TypeVar("Result", "Report", "DrillReport", "SaversReport", "Study")


def _warn(console: "Console", text: str) -> None:
    """Print a warning: whole words on a terminal, else one line."""
    console.print(shown(text), soft_wrap=not console.is_terminal)


def command_line() -> str:
    """Return the command that runs, as a shell takes it."""
    return shlex.join(["ckptcheck", *sys.argv[1:]])


def check_outputs(json: bool, verbose: bool, quiet: bool) -> None:
    """Raise `UsageError` for options that ask for more than one output."""
    if verbose and quiet:
        raise UsageError("--verbose and --quiet are opposites: give one of them.")
    if json and (verbose or quiet):
        given = "--verbose" if verbose else "--quiet"
        raise UsageError(f"--json prints the whole report as JSON: leave out {given}.")


def check_files(outputs: Mapping[str, Path | None], jobs: Iterable[str] = ()) -> None:
    """Raise `UsageError` if two options write one file, or one replaces the file of a job."""
    files = {Path(os.path.realpath(job.rpartition(":")[0])): job for job in jobs if ":" in job}
    writing: dict[Path, str] = {}
    for option, path in outputs.items():
        if path is None or path == Path(os.devnull):
            continue
        file = Path(os.path.realpath(path))
        if file in files:
            raise UsageError(
                f"{option} {path} would replace the file of the job {files[file]}. "
                "Choose a different file."
            )
        if file in writing:
            raise UsageError(
                f"{writing[file]} and {option} both write {path}. Choose two different files."
            )
        writing[file] = option


def print_report(
    report: "Report", *, json: bool, verbose: bool, quiet: bool, where: str = ""
) -> None:
    """Print a report as JSON, in one line, or for a person; `where` says where its files are."""
    from ckptcheck.report.outputs import terminal  # slow to import, and `--help` does without

    show = terminal.show_line if quiet else partial(terminal.show, verbose=verbose, where=where)
    print_result(report, json, show, warn=not quiet)


def print_result(
    result: Result,
    json: bool,
    show: "Callable[[Result, Console], None]",
    where: str = "",
    *,
    warn: bool = True,
) -> None:
    """Print a result as JSON or as `show` does, then `where` its files are."""
    # Slow to import, and `--help` does without.
    from ckptcheck.report.outputs.console import SafeConsole

    for warning in result.warnings() if warn else ():
        _warn(SafeConsole(stderr=True), f"ckptcheck: warning: {warning}")
    if json:
        print(result.to_json(), flush=True)
    else:
        show(result, SafeConsole())
        print(shown(where), end="\n" if where else "", flush=True)
