"""`ckptcheck compare` and `ckptcheck judge`: judge runs on disk, without training."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ckptcheck.cli import options
from ckptcheck.cli.grouped import GroupedCommand, option, together
from ckptcheck.cli.printing import check_files, check_outputs, command_line, print_report

if TYPE_CHECKING:
    from ckptcheck.report.report import Report

# What judges is imported inside the commands, so that `--help` does without NumPy.

_common = together(options.judgement, options.html, options.ci_files, options.printed)


COMPARE_EXAMPLES = (
    ("compare control resumed", "Two runs that a script recorded:"),
    ("compare control resumed --rtol 1e-6", "Floats may differ by a millionth of their value:"),
    ("compare control resumed --json", "For a program:"),
)
JUDGE_EXAMPLES = (
    ("judge ckptcheck-out", "The last verification, again:"),
    ("judge ckptcheck-out --restore weights --allow slots-lost", "With an accepted difference:"),
    ("judge ckptcheck-out --markdown report.md -q", "Only a file and the verdict:"),
)


@click.command(cls=GroupedCommand, epilog=options.EXIT_CODES, examples=COMPARE_EXAMPLES)
@click.argument("control", type=options.PATH)
@click.argument("resumed", type=options.PATH)
@_common
def compare(control: Path, resumed: Path, expect: str | None, **asked: Any) -> None:
    """Compare two runs that a script recorded.

    CONTROL is the run that was never interrupted, RESUMED the run that was restored from its
    checkpoint. The script records them with `ckptcheck.record`.
    """
    from ckptcheck.report.rejudge import compare_runs

    _judge(partial(compare_runs, control, resumed, expect=expect or "recovered"), **asked)


@click.command(cls=GroupedCommand, epilog=options.EXIT_CODES, examples=JUDGE_EXAMPLES)
@click.argument("folder", type=options.PATH, metavar="DIR")
@option(
    "--restore",
    multiple=True,
    metavar="NAME",
    help="Judge only this restore. Repeatable.",
    group=options.WHAT,
)
@_common
def judge(folder: Path, restore: Sequence[str], expect: str | None, **asked: Any) -> None:
    """Judge the runs of a verification again, without training.

    DIR is the folder that `ckptcheck verify --out DIR` wrote. Give a different tolerance or
    expectation, or accept a difference.
    """
    from ckptcheck.report.rejudge import judge_folder

    _judge(partial(judge_folder, folder, restore, expect=expect), **asked)


def _judge(
    make: "Callable[..., Report]",
    *,
    rtol: float,
    atol: float,
    equal_nan: bool,
    allow: Sequence[str],
    html: Path | None,
    junit: Path | None,
    markdown: Path | None,
    verbose: bool,
    quiet: bool,
    json: bool,
) -> NoReturn:
    from ckptcheck.report.html import report_page, require
    from ckptcheck.report.outputs.ci import ci_outputs
    from ckptcheck.report.outputs.folder import single_file
    from ckptcheck.tolerance import Tolerance

    check_outputs(json, verbose, quiet)
    check_files({"--html": html, "--junit": junit, "--markdown": markdown})
    if html:
        require()
    with ci_outputs(junit, markdown, command_line()) as write_for_ci:
        with single_file(html) as write_html:
            report = make(allow=allow, tolerance=Tolerance(rtol, atol, equal_nan))
            if html:
                write_html(report_page(report, command_line()))
        write_for_ci(report)
    where = f"Page: {html}" if html else ""
    print_report(report, json=json, verbose=verbose, quiet=quiet, where=where)
    raise click.exceptions.Exit(report.exit_code)
