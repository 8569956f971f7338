"""A study as a person reads it on a terminal: one table, then what the data supports."""

import math

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ckptcheck.report.outputs.console import print_trimmed
from ckptcheck.studies import words
from ckptcheck.studies.catalogue import Variant
from ckptcheck.studies.paired_test import Spread
from ckptcheck.studies.result import reaching
from ckptcheck.studies.summary import Study


def show(study: Study, console: Console) -> None:
    """Print a study as wide as the console."""
    print_trimmed(
        console,
        Text(),
        Text(study.definition.question, style="bold"),
        Text(f"{words.extent(study)}: median (range); ∞: never reached\n"),
        _fitting(study, console),
        _legend(study),
        *(Padding(Text(finding), (0, 0, 1, 0)) for finding in study.findings()),
    )


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


def _written(values: Spread, measure: str, with_range: bool) -> str:
    return words.spread(values, measure) if with_range else words.number(values.median, measure)


def _legend(study: Study) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for variant in study.variants:
        table.add_row(variant.name, variant.text)
    return Padding(table, (1, 0))
