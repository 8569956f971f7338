"""`ckptcheck verify`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Exit, Option

from ckptcheck.cli import options
from ckptcheck.cli.long_runs import interruptible, prepare_drawing
from ckptcheck.cli.printing import print_result

INTERRUPTED = (
    "Interrupted: nothing was verified, no report was written, no process was left behind."
)
OUT = Path("ckptcheck-out")


def verify(
    jobs: Annotated[
        list[str] | None,
        Argument(
            metavar="JOB",
            help="Shipped jobs by name, or your own: package.module:name, path/to/file.py:name. Default: the batch-norm jobs.",
            show_default=False,
        ),
    ] = None,
    restore: Annotated[
        list[str] | None,
        Option(metavar="NAME", help="A way to read the checkpoint back; may be repeated."),
    ] = None,
    suite: Annotated[
        str | None, Option(metavar="NAME", help="Every recipe of a report card: keras or tf2.")
    ] = None,
    set_: options.Settings = None,
    expect: Annotated[
        str | None,
        Option(metavar="OUTCOME", help="Expect recovered, diverged or refused of the named cases."),
    ] = None,
    steps: Annotated[
        int | None, Option(help="Length of the control run. Default: 3.5 epochs.")
    ] = None,
    boundary: Annotated[
        int | None, Option(help="Steps done when the checkpoint is saved. Default: in mid-epoch.")
    ] = None,
    boundaries: Annotated[
        str | None,
        Option(
            metavar="LIST",
            help="Save, and resume, at several: 1,mid,epoch,last; or a count, spread over the run.",
        ),
    ] = None,
    repeat: Annotated[
        int | None,
        Option(
            metavar="N",
            help="Run the control N times more; judge what follows a boundary against its noise.",
        ),
    ] = None,
    unsaved: Annotated[
        bool | None,
        Option(
            "--unsaved/--no-unsaved",
            help="Run a control that never saves, too: does saving change the run? Default: for jobs of your own.",
            show_default=False,
        ),
    ] = None,
    dataset: options.Dataset = None,
    timeout: options.Timeout = 300.0,
    rtol: options.Rtol = 0.0,
    atol: options.Atol = 0.0,
    equal_nan: options.EqualNan = False,
    allow: options.Allow = None,
    out: Annotated[
        Path, Option(metavar="DIR", help="Where report, tables, figure and runs are put.")
    ] = OUT,
    html: options.Html = None,
    junit: options.Junit = None,
    markdown: options.Markdown = None,
    executor: options.Address = None,
    json: Annotated[
        bool, Option("--json", help="Print report.json on standard output, and nothing else.")
    ] = False,
) -> None:
    """Train, save in mid-run, restore in new processes, train on; compare with the run that was never interrupted.

    Without arguments: the batch-norm jobs, each with the restore to use and one that fails.
    """
    # Imported here so that `--help` need not wait for NumPy and the rest.
    from rich.console import Console

    from ckptcheck import pipeline
    from ckptcheck.cli.progress import ProgressView
    from ckptcheck.report.html import report_page
    from ckptcheck.report.outputs import terminal
    from ckptcheck.report.outputs.ci import ci_outputs
    from ckptcheck.report.outputs.folder import output_folder, single_file, write

    given = options.job_options(set_, dataset)
    prepare_drawing(html)
    with ci_outputs(junit, markdown) as tell, interruptible(INTERRUPTED):
        with single_file(html) as write_html, output_folder(out) as partial:
            with ProgressView(Console(stderr=True)) as watch:
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
        tell(report)
    print_result(
        report,
        json,
        terminal.show,
        f"Curves: {out / 'curves.png'}   All numbers: {out / 'report.json'}",
    )
    raise Exit(report.exit_code)
