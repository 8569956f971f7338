"""The command line: parse, call, print. Everything heavy is imported by the command that needs it."""

import contextlib
import importlib
import signal
import sys
import threading
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ckptcheck.errors import CkptcheckError, NotVerifiedError, UsageError

EXIT_CODES = (
    "Exit codes: 0 each case did what was expected; 1 a case did not; 2 the request itself is wrong; "
    "3 it could not be verified."
)

INTERRUPTED = "Interrupted: nothing was verified, no report was written, no process was left behind."

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="If this training job dies now and is restored from its checkpoint, does it go on as if nothing had happened?",
    epilog=EXIT_CODES,
)


@app.command(epilog=EXIT_CODES)
def verify(
    jobs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="JOB",
            help="Shipped jobs by name, or your own: package.module:name, path/to/file.py:name. Default: the batch-norm jobs.",
            show_default=False,
        ),
    ] = None,
    restore: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A way to read the checkpoint back; may be repeated.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="An option of the jobs, see `ckptcheck jobs`; may be repeated."),
    ] = None,
    expect: Annotated[
        str | None, typer.Option(metavar="OUTCOME", help="Expect recovered, diverged or refused of the named cases.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Length of the control run. Default: 3.5 epochs.")] = None,
    boundary: Annotated[
        int | None, typer.Option(help="Steps done when the checkpoint is saved. Default: in mid-epoch.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="End a process that gives no sign of life for so long.")
    ] = 300.0,
    equal_nan: Annotated[bool, typer.Option("--equal-nan", help="Count NaN as equal to NaN.")] = False,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where report, tables, figure and runs are put.")] = Path(
        "ckptcheck-out"
    ),
    json: Annotated[bool, typer.Option("--json", help="Print report.json on standard output, and nothing else.")] = False,
) -> None:
    """Train, save in mid-run, restore in new processes, train on; compare with the run that was never interrupted.

    Without arguments: the batch-norm jobs, each with the restore to use and one that fails.
    """
    from rich.console import Console

    from ckptcheck import output
    from ckptcheck.progress import ProgressView
    from ckptcheck.verify import verify as run

    options = _options(set_ or [])
    # Whoever waits for the processes can load what draws the figure meanwhile.
    threading.Thread(target=importlib.import_module, args=("matplotlib.backends.backend_agg",), daemon=True).start()
    try:
        with output.output_folder(out) as partial:
            with ProgressView(Console(stderr=True)) as watch:
                report = run(
                    jobs or None,
                    restore or None,
                    options=options,
                    expect=expect,
                    steps=steps,
                    boundary=boundary,
                    timeout=timeout,
                    equal_nan=equal_nan,
                    folder=partial / "runs",
                    watch=watch,
                )
            from ckptcheck.plot import save

            output.write(report, partial, save)
    except KeyboardInterrupt:
        raise NotVerifiedError(INTERRUPTED) from None
    for warning in report.warnings():
        print(f"ckptcheck: warning: {warning}", file=sys.stderr)
    # A reader who has seen enough (`| head`) closes the pipe; the verdict stays what it is.
    with contextlib.suppress(BrokenPipeError):
        if json:
            print(report.to_json(), flush=True)
        else:
            from ckptcheck import text

            console = Console(highlight=False)
            text.show(report, console)
            print(f"Curves: {out / 'curves.png'}   All numbers: {out / 'report.json'}", flush=True)
    raise typer.Exit(report.exit_code)


@app.command("jobs")
def list_jobs() -> None:
    """List the jobs that ship with the tool, their restores with the expected outcome, and their options."""
    from dataclasses import fields

    from ckptcheck.jobs import JOBS
    from ckptcheck.jobs.options import shown

    for job in JOBS.values():
        print(f"{job.name}\n  {job.summary}\n  restores (expected outcome):")
        for restore, outcome in job.expected.items():
            print(f"    {restore:<10} {outcome}")
        print("  options (--set KEY=VALUE):")
        for option in fields(job.options):
            print(f"    {option.name + '=' + shown(option.default):<24} {option.metadata['text']}")
        print()


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        print(f"ckptcheck {installed('ckptcheck')}")
        raise typer.Exit


def _options(given: list[str]) -> dict[str, str]:
    options = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise UsageError(f"--set takes KEY=VALUE, not {each!r}.")
        options[key.strip()] = value.strip()
    return options


def _terminated(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; errors of ours become one sentence and their exit code."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        status = app(standalone_mode=False)
    except CkptcheckError as error:
        _leave(str(error), error.exit_code)
    except KeyboardInterrupt:
        _leave(INTERRUPTED, 3)
    except Exception as error:
        if hasattr(error, "exit_code") and hasattr(error, "format_message"):  # click's own: wrong usage
            _leave(error.format_message(), 2)
        raise
    sys.exit(status if isinstance(status, int) else 0)


def _leave(sentence: str, code: int) -> NoReturn:
    print(f"ckptcheck: {sentence}", file=sys.stderr)
    sys.exit(code)
