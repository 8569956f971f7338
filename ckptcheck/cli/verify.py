"""`ckptcheck verify`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Exit, Option

from ckptcheck.cli import options
from ckptcheck.cli.long_runs import interruptible, prepare_drawing
from ckptcheck.cli.printing import check_outputs, print_report

INTERRUPTED = (
    "Interrupted: nothing was verified, no report was written, and no process is left behind."
)
OUT = Path("ckptcheck-out")


def verify(
    jobs: Annotated[
        list[str] | None,
        Argument(
            metavar="JOB",
            help="Shipped jobs by name, or your own: package.module:name or path/to/file.py:name. "
            "Default: the batch-norm jobs.",
            show_default=False,
        ),
    ] = None,
    restore: Annotated[
        list[str] | None,
        Option(
            metavar="NAME",
            help="Restore the checkpoint in this way. Repeatable.",
            rich_help_panel=options.WHAT,
        ),
    ] = None,
    suite: Annotated[
        str | None,
        Option(
            metavar="NAME",
            help="Verify every recipe of a report card: keras or tf2.",
            rich_help_panel=options.WHAT,
        ),
    ] = None,
    set_: options.Settings = None,
    dataset: options.Dataset = None,
    steps: Annotated[
        int | None,
        Option(
            metavar="N",
            help="Train for N steps. Default: 3.5 epochs.",
            rich_help_panel=options.HOW,
        ),
    ] = None,
    boundary: Annotated[
        int | None,
        Option(
            metavar="N",
            help="Save the checkpoint after N steps. Default: in mid-epoch.",
            rich_help_panel=options.HOW,
        ),
    ] = None,
    boundaries: Annotated[
        str | None,
        Option(
            metavar="LIST",
            help="Save and resume at several boundaries: a list such as 1,mid,epoch,last, "
            "or their number.",
            rich_help_panel=options.HOW,
        ),
    ] = None,
    repeat: Annotated[
        int | None,
        Option(
            metavar="N",
            help="Run the control N more times, and judge losses after a boundary against "
            "its noise.",
            rich_help_panel=options.HOW,
        ),
    ] = None,
    unsaved: Annotated[
        bool | None,
        Option(
            "--unsaved/--no-unsaved",
            help="Also run once without saving, to check that saving has no side effects. "
            "Default: for your own jobs.",
            show_default=False,
            rich_help_panel=options.HOW,
        ),
    ] = None,
    timeout: options.Timeout = 300.0,
    executor: options.Address = None,
    rtol: options.Rtol = 0.0,
    atol: options.Atol = 0.0,
    equal_nan: options.EqualNan = False,
    allow: options.Allow = None,
    expect: Annotated[
        str | None,
        Option(
            metavar="OUTCOME",
            help="Expect this outcome of the named cases: recovered, diverged or refused.",
            rich_help_panel=options.ACCEPTED,
        ),
    ] = None,
    out: Annotated[
        Path,
        Option(
            metavar="DIR",
            help="Write the report, tables, curves and runs to DIR.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = OUT,
    html: options.Html = None,
    junit: options.Junit = None,
    markdown: options.Markdown = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Train and save, restore in new processes, train on, and compare with a run never interrupted.

    Without arguments: the batch-norm jobs, each with a restore that recovers and one that does not.
    """
    # Imported here so that `--help` does without NumPy and the rest, which are slow to import.
    from rich.console import Console

    from ckptcheck import pipeline
    from ckptcheck.cli.progress import ProgressView
    from ckptcheck.report.html import report_page
    from ckptcheck.report.outputs.ci import ci_outputs
    from ckptcheck.report.outputs.folder import output_folder, single_file, write

    check_outputs(json, verbose, quiet)
    given = options.job_options(set_, dataset)
    prepare_drawing(html)
    with ci_outputs(junit, markdown) as write_for_ci, interruptible(INTERRUPTED):
        with single_file(html) as write_html, output_folder(out) as partial:
            with ProgressView(Console(stderr=True, quiet=quiet)) as watch:
                report = pipeline.verify(
                    jobs or None,
                    restore or None,
                    suite=suite,
                    options=given,
                    expect=expect,
                    steps=steps,
                    boundary=boundary,
                    boundaries=boundaries,
                    repeat=repeat,
                    unsaved=unsaved,
                    allow=allow or (),
                    timeout=timeout,
                    rtol=rtol,
                    atol=atol,
                    equal_nan=equal_nan,
                    folder=partial / "runs",
                    executor=executor,
                    watch=watch,
                )
            write(report, partial)
            if html:
                write_html(report_page(report))
        write_for_ci(report)
    where = f"Curves: {out / 'curves.png'}   All numbers: {out / 'report.json'}"
    print_report(report, json=json, verbose=verbose, quiet=quiet, where=where)
    raise Exit(report.exit_code)
