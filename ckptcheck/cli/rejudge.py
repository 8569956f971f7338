"""`ckptcheck compare` and `ckptcheck judge`: runs that lie on disk, without training."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

from typer import Argument, Exit, Option

from ckptcheck.cli import options
from ckptcheck.cli.printing import print_result

if TYPE_CHECKING:
    from ckptcheck.report.report import Report

# The commands import what judges only when they run, so that `--help` need not wait for NumPy.


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
    json: options.Json = False,
) -> None:
    """Compare two runs that a script recorded with `ckptcheck.record`. Needs no TensorFlow."""
    from ckptcheck.report.rejudge import compare_runs

    make = partial(compare_runs, control, resumed, expect=expect or "recovered", allow=allow or ())
    _report(make, (rtol, atol, equal_nan), junit, markdown, json)


def judge(
    folder: Annotated[
        Path, Argument(metavar="DIR", help="What `ckptcheck verify --out DIR` left.")
    ],
    restore: Annotated[
        list[str] | None, Option(metavar="NAME", help="Judge these restores only.")
    ] = None,
    rtol: options.Rtol = 0.0,
    atol: options.Atol = 0.0,
    equal_nan: options.EqualNan = False,
    allow: options.Allow = None,
    expect: options.Expect = None,
    junit: options.Junit = None,
    markdown: options.Markdown = None,
    json: options.Json = False,
) -> None:
    """Judge the runs of an earlier verification anew, with another tolerance or expectation, without training."""
    from ckptcheck.report.rejudge import judge_folder

    make = partial(judge_folder, folder, restore or (), expect=expect, allow=allow or ())
    _report(make, (rtol, atol, equal_nan), junit, markdown, json)


def _report(
    make: "Callable[..., Report]",
    tolerance: tuple[float, float, bool],
    junit: Path | None,
    markdown: Path | None,
    json: bool,
) -> NoReturn:
    from ckptcheck.report.outputs import terminal
    from ckptcheck.report.outputs.ci import ci_outputs
    from ckptcheck.tolerance import Tolerance

    with ci_outputs(junit, markdown) as tell:
        report = make(tolerance=Tolerance(*tolerance))
        tell(report)
    print_result(report, json, terminal.show)
    raise Exit(report.exit_code)
