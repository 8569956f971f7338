"""The command `ckptcheck study`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ckptcheck.cli import options
from ckptcheck.cli.long_runs import interruptible, prepare_drawing
from ckptcheck.cli.printing import print_result
from ckptcheck.studies.catalogue import STUDIES

INTERRUPTED = (
    "Interrupted. Finished runs are kept: the same command trains the rest. "
    "No process is left running."
)
OUT = Path("ckptcheck-study")


def study(
    name: Annotated[
        str | None,
        Argument(
            metavar="[NAME]", help="The study. Default: list all studies.", show_default=False
        ),
    ] = None,
    variants: Annotated[
        list[str] | None,
        Argument(
            metavar="[VARIANT]...", help="Variants to train. Default: all.", show_default=False
        ),
    ] = None,
    seeds: Annotated[int, Option(metavar="N", help="Train with N seeds: 0, 1, …")] = 5,
    epochs: Annotated[
        int | None, Option(metavar="N", help="Train for N epochs. Default: 100.")
    ] = None,
    accuracy: Annotated[
        list[float] | None,
        Option(
            metavar="SHARE",
            help="Report the first epoch that reaches this validation accuracy (0 to 1). "
            "Repeatable. Default: 0.95, 0.98.",
        ),
    ] = None,
    set_: options.Settings = None,
    dataset: options.Dataset = None,
    timeout: options.Timeout = 300.0,
    out: Annotated[
        Path, Option(metavar="DIR", help="Keep the runs and write the results here.")
    ] = OUT,
    html: options.Html = None,
    executor: options.Address = None,
    json: Annotated[
        bool, Option("--json", help="Print summary.json, and nothing else, on standard output.")
    ] = False,
) -> None:
    """Train variants of batch norm with several seeds, and compare their training curves.

    Finished runs are kept. Run the same command again to finish an interrupted study; more seeds
    train only the new runs.
    """
    if name is None:
        _list_studies()
        return
    # Imported here so that `--help` does not load NumPy and the rest.
    from rich.console import Console

    from ckptcheck.cli.progress import ProgressView
    from ckptcheck.report.outputs.folder import output_folder, single_file
    from ckptcheck.studies import run, text
    from ckptcheck.studies.folder import CONTENTS, KEPT, write

    settings = options.job_options(set_, dataset)
    prepare_drawing(html)
    with (
        interruptible(INTERRUPTED),
        single_file(html) as write_html,
        output_folder(out, CONTENTS) as partial,
    ):
        with ProgressView(Console(stderr=True), counted=True) as watch:
            result = run.study(
                name,
                variants or None,
                seeds=seeds,
                epochs=epochs,
                options=settings,
                accuracies=tuple(sorted(set(accuracy or run.ACCURACIES))),
                timeout=timeout,
                folder=out / KEPT,
                executor=executor,
                watch=watch,
            )
        write(result, partial)
        if html:
            from ckptcheck.studies.html import study_page  # needs the packages of an extra

            write_html(study_page(result))
    print_result(
        result,
        json,
        text.show,
        f"Figure: {out / name / 'curves.png'}   Numbers: {out / name / 'summary.json'}",
    )


def _list_studies() -> None:
    for definition in STUDIES.values():
        print(f"{definition.name}\n  {definition.question}\n  variants:")
        for variant in definition.variants:
            print(f"    {variant.name:<19} {variant.text}")
        print()
