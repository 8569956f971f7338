"""A study on the terminal: a table, then the findings."""

import math

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from ckptcheck.report.outputs.console import numeric, print_trimmed, unruled
from ckptcheck.studies import words
from ckptcheck.studies.catalogue import Variant
from ckptcheck.studies.result import reaching
from ckptcheck.studies.summary import Study


def show(study: Study, console: Console) -> None:
    """Print a study at the width of the console."""
    question = Text(study.definition.question, style="bold")
    extent = Text(f"{words.extent(study)}; median (range); ∞ = never reached\n")
    findings = (Padding(Text(finding), (0, 0, 1, 0)) for finding in study.findings())
    print_trimmed(
        console, Text(), question, extent, _fitting(study, console), _legend(study), *findings
    )


def _fitting(study: Study, console: Console) -> RenderableType:
    """Return the table with medians and ranges; with medians alone if the console is narrow."""
    table = _table(study, with_range=True)
    unlimited = console.options.update(width=10_000)
    if console.measure(table, options=unlimited).maximum <= console.width:
        return table
    note = Text("Medians only: the ranges need a wider terminal.", style="dim")
    return Group(_table(study, with_range=False), note)


def _table(study: Study, with_range: bool) -> Table:
    reached = [f"epochs to\n{100 * accuracy:.4g} %" for accuracy in study.accuracies]
    heads = (*reached, "final\naccuracy, %", "largest\nrise, %", "runs with\na hump")
    table = unruled(Column("variant", no_wrap=True), *map(numeric, heads))
    for variant in study.variants:
        table.add_row(variant.name, *_cells(study, variant, with_range))
    return table


def _cells(study: Study, variant: Variant, with_range: bool) -> list[str]:
    measures = [*map(reaching, study.accuracies), "final_validation_accuracy", "largest_rise"]
    spreads = [(study.spread(variant.name, measure), measure) for measure in measures]
    cells = [
        words.spread(values, measure) if with_range else words.number(values.median, measure)
        for values, measure in spreads
    ]
    runs = study.of(variant.name)
    too_short = any(math.isnan(run.largest_rise) for run in runs)
    return [*cells, "–" if too_short else f"{sum(bool(run.humps) for run in runs)}/{len(runs)}"]


def _legend(study: Study) -> RenderableType:
    table = unruled(Column(no_wrap=True), Column(overflow="fold"), show_header=False, style="dim")
    for variant in study.variants:
        table.add_row(variant.name, variant.text)
    return Padding(table, (1, 0))
