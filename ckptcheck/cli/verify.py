"""`ckptcheck verify`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ckptcheck.cli import complete, options
from ckptcheck.cli.grouped import COMMAND, AfterDashes, option
from ckptcheck.cli.long_runs import interruptible, prepare_drawing
from ckptcheck.cli.of_project import of_project
from ckptcheck.cli.printing import check_files, check_outputs, command_line, print_report

if TYPE_CHECKING:
    from ckptcheck.report.report import Report

TRACEBACK = b"Traceback (most recent call last)"
REQUEST = "request.json"  # beside the log of a command alone
INTERRUPTED = "Interrupted: nothing was verified, and no process is left behind."


EXAMPLES = (
    ("verify -- python train.py {run}", "A command that trains, as it is:"),
    (
        "verify fit.py:Train --restore weights --expect diverged",
        "A job in a class, with a restore that is known to lose something:",
    ),
    (
        "verify --junit junit.xml --markdown report.md -- python train.py {run}",
        "In CI, with reports for its server:",
    ),
)


@click.command(cls=AfterDashes, epilog=options.EXIT_CODES, examples=EXAMPLES)
@click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=complete.jobs)
@option(
    "--restore",
    multiple=True,
    metavar="NAME",
    shell_complete=complete.restores,
    help="Restore the checkpoint in this way. Repeatable.",
    group=options.WHAT,
)
@option(
    "--suite",
    metavar="NAME",
    shell_complete=complete.suites,
    help="Verify every recipe of a report card: keras, tf2, torch, lightning, transformers or "
    "accelerate.",
    group=options.WHAT,
)
@options.job_settings
@option(
    "--steps",
    type=int,
    metavar="N",
    help="Train for N steps. Default: 3.5 epochs.",
    group=options.HOW,
)
@option(
    "--boundary",
    type=int,
    metavar="N",
    help="Save the checkpoint after N steps. Default: after 2.5 epochs, Keras jobs after 2; with "
    "--steps, near the middle.",
    group=options.HOW,
)
@option(
    "--boundaries",
    metavar="LIST",
    help="Save and resume at several boundaries: a list such as 1,mid,epoch,last, or their number.",
    group=options.HOW,
)
@option(
    "--repeat",
    type=int,
    metavar="N",
    help="Run the control N more times, and judge losses after a boundary against its noise.",
    group=options.HOW,
)
@option(
    "--unsaved/--no-unsaved",
    default=None,
    help="Also run once without saving, to check that saving has no side effects. "
    "Default: for your own jobs.",
    group=options.HOW,
)
@option(
    "--resume-twice",
    is_flag=True,
    help="Resume, train on, save and resume again: some jobs save less after a resume.",
    group=options.HOW,
)
@options.commands
@options.machines
@option(
    "--cache",
    type=options.PATH,
    metavar="DIR",
    help="Reuse an unchanged control from DIR, and keep a reproducible one there.",
    group=options.HOW,
)
@options.judgement
@option(
    "--out",
    type=options.PATH,
    default=Path("ckptcheck-out"),
    metavar="DIR",
    help="Write the report, tables, curves and runs to DIR.",
    group=options.OUTPUT,
)
@options.html
@options.ci_files
@options.printed
@click.pass_context
def verify(
    context: click.Context,
    /,
    jobs: Sequence[str],
    settings: Sequence[str],
    dataset: str | None,
    out: Path,
    html: Path | None,
    junit: Path | None,
    markdown: Path | None,
    verbose: bool,
    quiet: bool,
    json: bool,
    **asked: Any,
) -> None:
    """Verify that restored jobs continue as if never interrupted.

    Train, save, restore in new processes, train on, and compare with a run that was never
    interrupted.

    JOB is a shipped job by name, or your own: path/to/file.py, path/to/file.py:name or
    package.module:name. Instead of it, COMMAND is any program that trains, saves, and goes on when
    it is started again, with {run} in place of the folder that it writes into. Without either: what
    [tool.ckptcheck] in pyproject.toml names; without that table, the batch-norm jobs, each with a
    restore that recovers and one that does not.
    """
    # Imported here so that `--help` does without NumPy and the rest, which are slow to import.
    from ckptcheck import pipeline
    from ckptcheck.cli.progress import ProgressView
    from ckptcheck.job import given as job_given
    from ckptcheck.report.html import report_page
    from ckptcheck.report.outputs.ci import ci_outputs
    from ckptcheck.report.outputs.command_output import outputs_of
    from ckptcheck.report.outputs.console import SafeConsole
    from ckptcheck.report.outputs.folder import output_folder, single_file, write

    check_outputs(json, verbose, quiet)
    command = context.meta.get(COMMAND)
    if command is None:
        jobs, asked = of_project(context, jobs, asked)
        command = asked.pop("command", None)
    jobs = [each.name for each in job_given.given(jobs)]
    check_files({"--html": html, "--junit": junit, "--markdown": markdown}, jobs)
    given = options.job_options(settings, dataset)
    prepare_drawing(html)
    with ci_outputs(junit, markdown, command_line()) as write_for_ci, interruptible(INTERRUPTED):
        with single_file(html) as write_html, output_folder(out) as partial:
            with ProgressView(SafeConsole(stderr=True, quiet=quiet)) as watch:
                report = pipeline.verify(
                    jobs or None,
                    command=command,
                    options=given,
                    folder=partial / "runs",
                    watch=watch,
                    **asked,
                )
            write(report, partial)
            if html:
                write_html(report_page(report, command_line()))
        write_for_ci(report)
    where = f"Curves: {out / 'curves.png'}   All numbers: {out / 'report.json'}"
    where = logs(report, out) + where
    if command is not None and verbose:
        where = outputs_of(sorted((out / "runs").glob("*/*/output.txt"))) + "\n" + where
    where += f"\nPage: {html}" if html else ""
    print_report(report, json=json, verbose=verbose, quiet=quiet, where=where)
    raise click.exceptions.Exit(report.exit_code)


def logs(report: "Report", out: Path) -> str:
    """Return a line that names the log of a failed job or command; empty: none failed."""
    if all(case.as_expected for case in report.cases):
        return ""
    found = sorted((out / "runs").glob("*/*/output.txt"))
    raised = [path for path in found if TRACEBACK in path.read_bytes()]
    if raised:
        return f"Traceback: {raised[0]}\n"
    of_commands = [path for path in found if path.with_name(REQUEST).exists()]
    return f"Output: {of_commands[0]}\n" if of_commands else ""
