"""A study as an HTML page."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from bokeh.models import Range1d

from ckptcheck.report.html.page import (
    DASHES,
    Cell,
    Section,
    Table,
    axes,
    finished,
    number,
    rendered,
    shortened,
)
from ckptcheck.studies import words
from ckptcheck.studies.catalogue import Variant
from ckptcheck.studies.humps import WINDOW
from ckptcheck.studies.paired_test import PairedTest
from ckptcheck.studies.plot import LINES, MOST_OVERLAID, PANELS, REFERENCE, curves_of
from ckptcheck.studies.summary import Study

FIRST_EPOCHS = 20


def study_page(study: Study) -> str:
    """Return a study as one HTML file."""
    what = f"{words.extent(study)}. Curves show the median over the seeds; bands show the range."
    sections = [
        Section("Findings", texts=[*study.warnings(), *study.findings()]),
        Section("Variants", texts=[what], tables=[_variants(study)]),
        *_curves(study),
        Section(
            "Evidence", tables=[_comparisons(study), _frame(study.humps(), "Humps", "humps.csv")]
        ),
        Section("Runs", tables=[_frame(study.runs(), "Every run", "runs.csv")]),
    ]
    definition, environment = study.definition, study.trained[0].run.environment
    title = f"ckptcheck: study {definition.name}"
    return rendered(title, definition.question, sections, environment)


def _variants(study: Study) -> Table:
    heads = ("variant", *map(words.label, study.measures), "runs with a hump", "description")
    return Table(heads, [_variant(study, variant) for variant in study.variants])


def _variant(study: Study, variant: Variant) -> list[Cell]:
    spreads = [(study.spread(variant.name, measure), measure) for measure in study.measures]
    cells = [
        Cell(words.spread(spread, measure), number(spread.median).value)
        for spread, measure in spreads
    ]
    return [Cell(variant.name), *cells, _humps(study, variant), Cell(variant.text)]


def _humps(study: Study, variant: Variant) -> Cell:
    if study.epoch_count < WINDOW:
        return Cell("–")  # too short for a hump
    humps = sum(bool(run.humps) for run in study.of(variant.name))
    return Cell(f"{humps} of {study.seeds}", humps)


def _comparisons(study: Study) -> Table:
    heads = (
        "measure",
        "variant",
        "reference",
        "median (range)",
        "of the reference",
        "lower",
        "equal",
        "higher",
        "p",
        "supported",
    )
    title = "Each variant and its reference: number of seeds in which it is lower, equal or higher"
    return Table(heads, [_comparison(each) for each in study.comparisons], title)


def _comparison(test: PairedTest) -> list[Cell]:
    spreads = [
        Cell(words.spread(one, test.measure), number(one.median).value)
        for one in (test.of_variant, test.of_against)
    ]
    counts = [
        number(test.lower),
        number(test.equal),
        number(test.higher),
        number(test.p, "{:.2g}".format),
    ]
    supported = Cell("yes", tone="good") if test.supported else Cell("no")
    return [
        Cell(words.label(test.measure)),
        Cell(test.variant),
        Cell(test.against),
        *spreads,
        *counts,
        supported,
    ]


def _frame(frame: pd.DataFrame, title: str, where: str) -> Table:
    rows, note = shortened(
        list(frame.itertuples(index=False)), lambda row: [_cell(value) for value in row], where
    )
    return Table(tuple(map(str, frame.columns)), rows, title, note, folded=True)


def _cell(value: Any) -> Cell:
    if isinstance(value, bool | np.bool_):
        return Cell("yes" if value else "no")
    return Cell(value) if isinstance(value, str) else number(float(value))


def _curves(study: Study) -> list[Section]:
    """Return the curves: few variants overlaid, many each in a section, with their references."""
    if len(study.variants) <= MOST_OVERLAID:
        colours = [
            (each.name, colour, DASHES[style])
            for each, (colour, style) in zip(study.variants, LINES, strict=False)
        ]
        return [_section(study, "Curves", [axis for axis, _ in PANELS], colours)]
    against = dict(study.pairs)
    own, _ = LINES[0]
    sections = []
    for variant in study.variants:
        drawn = [(against[variant.name], REFERENCE, "dashed")] if variant.name in against else []
        drawn.append((variant.name, own, "solid"))
        sections.append(
            _section(
                study, f"{variant.name}: {variant.text}", ["train_loss", "validation_loss"], drawn
            )
        )
    return sections


def _section(
    study: Study, title: str, panels: Sequence[str], drawn: Sequence[tuple[str, str, str]]
) -> Section:
    name = f"curves of {title.partition(':')[0]}"
    epochs = max(2, study.epoch_count)  # an axis of one epoch would have no extent
    range_ = Range1d(start=1, end=epochs, bounds=(1, epochs), name=name)
    figures = [_panel(study, panel, range_, drawn) for panel in panels]
    zooms = [("First epochs", 1, min(FIRST_EPOCHS, epochs)), ("Whole run", 1, epochs)]
    return Section(title, figures=figures, axis=name, zooms=zooms)


def _panel(study: Study, panel: str, range_: Range1d, drawn: Sequence[tuple[str, str, str]]) -> Any:
    figure = axes(
        dict(PANELS)[panel], range_, "epoch", logarithmic=panel.endswith("loss"), height=240
    )
    for name, colour, dash in drawn:
        curves = curves_of(study, name, panel)
        epochs = np.arange(1, curves.shape[1] + 1)
        if len(epochs) == 1:  # a line needs two points
            figure.scatter(epochs, np.median(curves, 0), color=colour, legend_label=name)
        figure.varea(
            epochs, curves.min(0), curves.max(0), color=colour, alpha=0.18, legend_label=name
        )
        figure.line(
            epochs,
            np.median(curves, 0),
            color=colour,
            line_dash=dash,
            line_width=2,
            legend_label=name,
            name=name,
        )
    return finished(figure)
