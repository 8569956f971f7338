"""`ckptcheck study`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ckptcheck.cli import complete, options
from ckptcheck.cli.grouped import GroupedCommand, option
from ckptcheck.cli.long_runs import interruptible, prepare_drawing
from ckptcheck.cli.printing import print_result

INTERRUPTED = (
    "Interrupted. Finished runs are kept: the same command trains the rest. "
    "No process is left running."
)


EXAMPLES = (
    ("study", "All studies and their variants:"),
    ("study convergence --seeds 3 --html study.html", "One study, with a page for the browser:"),
    (
        "study convergence --seeds 1 --epochs 2 --out short-study",
        "A first impression, in a folder of its own:",
    ),
)


@click.command(
    cls=GroupedCommand,
    examples=EXAMPLES,
    epilog="Exit codes: 0 the study is done; 2 the request is wrong; "
    "3 a run did not finish; finished runs are kept.",
)
@click.argument("name", required=False, shell_complete=complete.studies)
@click.argument("variants", nargs=-1, metavar="[VARIANT]...")
@options.job_settings
@option(
    "--seeds",
    type=int,
    default=5,
    metavar="N",
    help="Train with N seeds: 0, 1, …",
    group=options.HOW,
)
@option(
    "--epochs",
    type=int,
    metavar="N",
    help="Train for N epochs. Default: 100.",
    group=options.HOW,
)
@options.machines
@option(
    "--accuracy",
    type=float,
    multiple=True,
    metavar="SHARE",
    help="Report the first epoch that reaches this validation accuracy (0 to 1). "
    "Repeatable. Default: 0.95, 0.98.",
    group=options.OUTPUT,
)
@option(
    "--out",
    type=options.PATH,
    default=Path("ckptcheck-study"),
    metavar="DIR",
    help="Keep the runs and write the results here.",
    group=options.OUTPUT,
)
@options.html
@option(
    "--json",
    is_flag=True,
    help="Print summary.json on standard output, and nothing else.",
    group=options.OUTPUT,
)
def study(
    name: str | None,
    variants: Sequence[str],
    settings: Sequence[str],
    dataset: str | None,
    accuracy: Sequence[float],
    out: Path,
    html: Path | None,
    json: bool,
    **asked: Any,
) -> None:
    """Compare the training curves of batch-norm variants, seed by seed.

    NAME is the study; without it, all studies are listed. VARIANT: train these only.

    Finished runs are kept. Run the same command again to finish an interrupted study; more seeds
    train only the new runs.
    """
    if name is None:
        _list_studies()
        return
    # Imported here so that `--help` does not load NumPy and the rest.
    from ckptcheck.cli.progress import ProgressView
    from ckptcheck.report.outputs.console import SafeConsole
    from ckptcheck.report.outputs.folder import output_folder, single_file
    from ckptcheck.studies import run, text
    from ckptcheck.studies.folder import CONTENTS, KEPT, write

    given = options.job_options(settings, dataset)
    prepare_drawing(html)
    with (
        interruptible(INTERRUPTED),
        single_file(html) as write_html,
        output_folder(out, CONTENTS) as partial,
    ):
        with ProgressView(SafeConsole(stderr=True), counted=True) as watch:
            result = run.study(
                name,
                variants or None,
                options=given,
                accuracies=tuple(sorted(set(accuracy or run.ACCURACIES))),
                folder=out / KEPT,
                watch=watch,
                **asked,
            )
        write(result, partial)
        if html:
            from ckptcheck.studies.html import study_page  # needs the packages of an extra

            write_html(study_page(result))
    where = f"Figure: {out / name / 'curves.png'}   Numbers: {out / name / 'summary.json'}"
    print_result(result, json, text.show, where)


def _list_studies() -> None:
    from ckptcheck.studies.catalogue import STUDIES  # other commands do without

    for definition in STUDIES.values():
        print(f"{definition.name}\n  {definition.question}\n  variants:")
        for variant in definition.variants:
            print(f"    {variant.name:<19} {variant.text}")
        print()
