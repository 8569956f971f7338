"""`ckptcheck drill`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ckptcheck.cli import complete, options
from ckptcheck.cli.grouped import COMMAND, AfterDashes, option
from ckptcheck.cli.long_runs import interruptible, prepare_drawing
from ckptcheck.cli.printing import check_files, check_outputs, command_line, print_result
from ckptcheck.cli.verify import logs
from ckptcheck.errors import NotVerifiedError, UsageError, unknown

if TYPE_CHECKING:
    from rich.console import Console

    from ckptcheck.drills.drilled import DrillReport

INTERRUPTED = "Interrupted: the drill was given up, and no process is left behind."
EXIT_CODES = (
    "Exit codes: 0 each kill and fault lost no more than the work since the last finished save; "
    "1 one did; 2 the request is wrong; 3 a kill could not be judged. "
    "Of --suite: 0 every saver was run; 3 one could not be."
)
# The options that go with `--suite`. All others are about a command.
_OF_SUITE = frozenset(("suite", "only", "json"))
EXAMPLES = (
    ("drill -- python train.py {run}", "Kill a command at every point of its second save:"),
    (
        "drill --points mid --saves 1,2 --faults -- python train.py {run}",
        "In the middle of the first two saves, and where the disk fails them:",
    ),
    (
        "drill --budget 10m --junit junit.xml -- python train.py {run}",
        "In CI, the most telling points first, for ten minutes:",
    ),
)


@click.command(cls=AfterDashes, epilog=EXIT_CODES, examples=EXAMPLES)
@click.argument("job", required=False, shell_complete=complete.jobs)
@option(
    "--suite",
    metavar="NAME",
    shell_complete=complete.drilled_suites,
    help="Instead of a command: `savers` tries the savers that frameworks ship, and prints what "
    "each crash state of an overwrite restores to.",
    group=options.WHAT,
)
@option(
    "--only",
    multiple=True,
    metavar="NAME",
    shell_complete=complete.savers,
    help="Of --suite savers, try this one with its fixed twin. Repeatable.",
    group=options.WHAT,
)
@option(
    "--points",
    metavar="LIST",
    help="Kill at these points: first-event, mid, before-commit (of a save), after-save, between "
    "(two saves), restart (again, within the first steps), term (SIGTERM first). Default: all.",
    group=options.HOW,
)
@option(
    "--saves",
    metavar="LIST",
    help="Kill at these saves, such as 1,2. Default: the second, or the only one.",
    group=options.HOW,
)
@option(
    "--faults",
    is_flag=True,
    help="Also let these saves meet a full disk, a read-only folder and a short write: does the "
    "command notice, and is the last checkpoint still there?",
    group=options.HOW,
)
@option(
    "--states",
    is_flag=True,
    help="Also try every crash state of these saves: what a kill between any two file operations "
    "leaves, and a power failure. Without strace, those that are seen from outside.",
    group=options.HOW,
)
@option(
    "--budget",
    type=options.seconds,
    metavar="SECONDS",
    help="Try no further point after SECONDS, or 10m, or 1h. The most telling points come first.",
    group=options.HOW,
)
@option(
    "--grace",
    type=options.seconds,
    default=30.0,
    metavar="SECONDS",
    help="Time between SIGTERM and SIGKILL, at the point term.",
    group=options.HOW,
)
@options.drilled
@options.judgement_without_expectation
@option(
    "--out",
    type=options.PATH,
    default=Path("ckptcheck-drill"),
    metavar="DIR",
    help="Write the report, the timeline and the runs to DIR.",
    group=options.OUTPUT,
)
@options.html
@options.ci_files
@options.printed
@click.pass_context
def drill(
    context: click.Context,
    /,
    job: str | None,
    suite: str | None,
    only: tuple[str, ...],
    out: Path,
    html: Path | None,
    junit: Path | None,
    markdown: Path | None,
    verbose: bool,
    quiet: bool,
    json: bool,
    **asked: Any,
) -> None:
    """Kill a command for real, start it again, and compare it with a run that was not killed.

    COMMAND is any program that trains, saves, and goes on when it is started again, with {run} in
    place of the folder that it writes into. It runs twice without a kill, and then once for each
    point: it is killed there, with all of its processes, and started again as it is.

    Instead of it, JOB is a job in a class, as `ckptcheck verify` takes it: path/to/file.py,
    path/to/file.py:name or package.module:name. It trains four epochs, and saves after each into
    the same folder.

    --suite savers needs no command.
    """
    if sys.platform != "linux":
        raise NotVerifiedError(
            "A drill needs Linux, where the kernel reports what a command writes (inotify)."
        )
    if suite is not None:
        _study_savers(context, suite, only, json)
    if only:
        raise UsageError("--only names savers of a suite: add --suite savers.")
    # Imported here so that `--help` does without NumPy and the rest, which are slow to import.
    from ckptcheck.cli.progress import ProgressView
    from ckptcheck.drills import run, terminal
    from ckptcheck.drills.folder import CONTENTS, write
    from ckptcheck.report.html import report_page
    from ckptcheck.report.outputs.ci import ci_outputs
    from ckptcheck.report.outputs.command_output import outputs_of
    from ckptcheck.report.outputs.console import SafeConsole
    from ckptcheck.report.outputs.folder import output_folder, single_file

    check_outputs(json, verbose, quiet)
    command = _asked(job, context.meta.get(COMMAND))
    check_files({"--html": html, "--junit": junit, "--markdown": markdown})
    prepare_drawing(html)
    with ci_outputs(junit, markdown, command_line()) as write_for_ci, interruptible(INTERRUPTED):
        with single_file(html) as write_html, output_folder(out, CONTENTS) as partial:
            with ProgressView(SafeConsole(stderr=True, quiet=quiet)) as watch:
                report = run.drill(command, folder=partial / "runs", watch=watch, **asked)
            write(report, partial)
            if html:
                drawing = (out / "timeline.svg").read_text(encoding="utf-8")
                write_html(report_page(report, command_line(), drawing))
        write_for_ci(report)
    where = f"Timeline: {out / 'timeline.png'}   All numbers: {out / 'report.json'}"
    where = logs(report, out) + where
    if verbose:  # what the runs printed that were started again
        where = outputs_of(sorted((out / "runs").glob("*/resumed-*/output.txt"))) + "\n" + where
    where += f"\nPage: {html}" if html else ""

    def show(result: "DrillReport", console: "Console") -> None:
        if quiet:
            terminal.show_line(result, console)
        else:
            terminal.show(result, console, verbose=verbose, where=where)

    print_result(report, json, show, warn=not quiet)
    raise click.exceptions.Exit(report.exit_code)


def _asked(job: str | None, command: Sequence[str] | None) -> Sequence[str] | str:
    """Return the command or the job that is asked for."""
    if job is not None and command is not None:
        raise UsageError(f"Name a job or a command, not both: {job}, and what follows --.")
    if job is None and command is None:
        raise UsageError(
            "A drill needs a command or a job. Write a command after --: -- python train.py {run}."
        )
    return command or job or ""


def _study_savers(context: click.Context, suite: str, only: Sequence[str], json: bool) -> NoReturn:
    """Print what the crash states of each stock saver restore to, and exit."""
    # Imported here so that `--help` does without NumPy and the rest, which are slow to import.
    from ckptcheck.drills.savers import study, terminal
    from ckptcheck.drills.savers.catalogue import SUITE
    from ckptcheck.report.outputs.console import SafeConsole

    if suite != SUITE:
        raise unknown("suite of a drill", suite, [SUITE])
    if COMMAND in context.meta:
        raise UsageError("--suite takes no command: leave out what follows --.")
    for parameter in context.command.get_params(context):
        name = parameter.name or ""
        if name not in _OF_SUITE and _is_given(context, name):
            given = max(parameter.opts, key=len)
            raise UsageError(f"--suite {suite} takes --only and --json alone: leave out {given}.")
    console = SafeConsole(stderr=True)
    with interruptible(INTERRUPTED):
        report = study.study(
            only, watch=lambda names: console.print(f"ckptcheck: {names} …", soft_wrap=True)
        )
    print_result(report, json, terminal.show)
    raise click.exceptions.Exit(report.exit_code)


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
