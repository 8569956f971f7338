"""A study as a person reads it on a terminal: one table, then what the data supports."""

import math

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ckptcheck.studies import words
from ckptcheck.studies.catalogue import Variant
from ckptcheck.studies.result import Spread, Study, reaching


def show(study: Study, console: Console) -> None:
    """Print a study as wide as the console."""
    recipe = study.trained[0].run.recipe
    with console.capture() as captured:
        console.print()
        console.print(Text(study.definition.question, style="bold"))
        console.print(
            f"{recipe.options['dataset']}, {words.counted(study.epoch_count, 'epoch')}, "
            f"{words.counted(study.seeds, 'seed')}: median (range); ∞: never reached"
        )
        console.print()
        console.print(_fitting(study, console))
        console.print(_legend(study))
        for finding in study.findings():
            console.print(Padding(Text(finding), (0, 0, 1, 0)))
    print("\n".join(line.rstrip() for line in captured.get().splitlines()), file=console.file)


def _fitting(study: Study, console: Console) -> RenderableType:
    """Return the table with medians and ranges, or where the console is too narrow for that, with medians alone."""
    table = _table(study, with_range=True)
    if console.measure(table, options=console.options.update(width=10_000)).maximum <= console.width:
        return table
    return Group(_table(study, with_range=False), Text("(medians; the ranges need a wider terminal)", style="dim"))


def _table(study: Study, with_range: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("variant", no_wrap=True)
    for accuracy in study.accuracies:
        table.add_column(f"epochs to\n{100 * accuracy:.4g} %", justify="right", no_wrap=True)
    for head in ("final\naccuracy, %", "largest\nrise, %", "runs with\na hump"):
        table.add_column(head, justify="right", no_wrap=True)
    for variant in study.variants:
        table.add_row(variant.name, *_cells(study, variant, with_range))
    return table


def _cells(study: Study, variant: Variant, with_range: bool) -> list[str]:
    measures = [*(reaching(accuracy) for accuracy in study.accuracies), "final_validation_accuracy", "largest_rise"]
    runs = study.of(variant.name)
    return [
        *(_written(study.spread(variant.name, measure), measure, with_range) for measure in measures),
        "–" if any(math.isnan(run.largest_rise) for run in runs) else f"{sum(bool(run.humps) for run in runs)}/{len(runs)}",
    ]


def _written(found: Spread, measure: str, with_range: bool) -> str:
    return words.spread(found, measure) if with_range else words.number(found.median, measure)


def _legend(study: Study) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for variant in study.variants:
        table.add_row(variant.name, variant.text)
    return Padding(table, (1, 0))
