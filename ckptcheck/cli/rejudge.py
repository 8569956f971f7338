"""`ckptcheck compare` and `ckptcheck judge`: judge runs on disk, without training."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

from typer import Argument, Exit, Option

from ckptcheck.cli import options
from ckptcheck.cli.printing import check_outputs, print_report

if TYPE_CHECKING:
    from ckptcheck.report.report import Report

# What judges is imported inside the commands, so that `--help` does without NumPy.


def compare(
    control: Annotated[
        Path, Argument(metavar="CONTROL", help="The run that was never interrupted.")
    ],
    resumed: Annotated[
        Path, Argument(metavar="RESUMED", help="The run that was restored from its checkpoint.")
    ],
    rtol: options.Rtol = 0.0,
    atol: options.Atol = 0.0,
    equal_nan: options.EqualNan = False,
    allow: options.Allow = None,
    expect: options.Expect = None,
    junit: options.Junit = None,
    markdown: options.Markdown = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Compare two runs that a script recorded with `ckptcheck.record`. Needs no TensorFlow."""
    from ckptcheck.report.rejudge import compare_runs

    check_outputs(json, verbose, quiet)
    make = partial(compare_runs, control, resumed, expect=expect or "recovered", allow=allow or ())
    report = _judged(make, (rtol, atol, equal_nan), junit, markdown)
    _end(report, json=json, verbose=verbose, quiet=quiet)


def judge(
    folder: Annotated[
        Path, Argument(metavar="DIR", help="The folder that `ckptcheck verify --out DIR` wrote.")
    ],
    restore: Annotated[
        list[str] | None,
        Option(
            metavar="NAME",
            help="Judge only this restore. Repeatable.",
            rich_help_panel=options.WHAT,
        ),
    ] = None,
    rtol: options.Rtol = 0.0,
    atol: options.Atol = 0.0,
    equal_nan: options.EqualNan = False,
    allow: options.Allow = None,
    expect: options.Expect = None,
    junit: options.Junit = None,
    markdown: options.Markdown = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Judge the runs of a verification again, with a different tolerance or expectation."""
    from ckptcheck.report.rejudge import judge_folder

    check_outputs(json, verbose, quiet)
    make = partial(judge_folder, folder, restore or (), expect=expect, allow=allow or ())
    report = _judged(make, (rtol, atol, equal_nan), junit, markdown)
    _end(report, json=json, verbose=verbose, quiet=quiet)


def _judged(
    make: "Callable[..., Report]",
    tolerance: tuple[float, float, bool],
    junit: Path | None,
    markdown: Path | None,
) -> "Report":
    from ckptcheck.report.outputs.ci import ci_outputs
    from ckptcheck.tolerance import Tolerance

    with ci_outputs(junit, markdown) as write_for_ci:
        report = make(tolerance=Tolerance(*tolerance))
        write_for_ci(report)
    return report


def _end(report: "Report", *, json: bool, verbose: bool, quiet: bool) -> NoReturn:
    print_report(report, json=json, verbose=verbose, quiet=quiet)
    raise Exit(report.exit_code)
