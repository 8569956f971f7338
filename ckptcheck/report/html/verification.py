"""A verification as an HTML page, for a reviewer of a pull request."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from bokeh.models import Range1d
from bokeh.models.annotations import Span

from ckptcheck.comparison.comparison import Comparison, StepComparison, TensorComparison
from ckptcheck.outcomes import PASS, RECOVERED
from ckptcheck.report.answer import answer, verdict_line
from ckptcheck.report.case import Case, as_it_differs
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
from ckptcheck.report.outputs.figure import CONTROL, EXACT_LANE, STYLES, Shown, laned
from ckptcheck.report.report import Report
from ckptcheck.report.sentences import (
    by_remedy,
    headline,
    how_to_accept,
    listed,
    measured,
)
from ckptcheck.run.run import Run

STEPS = "training steps done"
HEADS = (
    *("job", "restore", "outcome", "expected"),
    *("tensors equal", "evaluation loss", "control’s", "training losses equal"),
)
# Steps on each side of the boundary that its zoom button shows.
AROUND = 6


def page(report: Report) -> str:
    """Return a report as one HTML file."""
    tone = "good" if report.verdict == PASS else "bad"
    overview = Table(HEADS, [_row(case) for case in report.cases])
    warnings = [f"Warning: {text}" for text in report.warnings()]
    sections = [Section("Cases", texts=warnings, tables=[overview])]
    for job in dict.fromkeys(case.job for case in report.cases):
        cases = [case for case in report.cases if case.job == job]
        sections += [_curves(job, cases), *map(_case, cases)]
    return rendered(
        "ckptcheck: recovery of training jobs",
        verdict_line(report.cases),
        sections,
        report.environment,
        tone,
        answer(report.cases),
    )


def _row(case: Case) -> list[Cell]:
    outcome = Cell(case.told_outcome, tone="good" if case.as_expected else "bad")
    names = [Cell(case.job), Cell(case.label), outcome, Cell(case.expected)]
    if case.comparison is None or case.boundary_eval is None:
        return [*names, *[Cell("–")] * 4]
    control, resumed = case.boundary_eval
    tensors, losses = (
        [row.equal for row in rows]
        for rows in (as_it_differs(case.comparison).boundary, case.comparison.steps)
    )
    return [*names, _equal(tensors), number(resumed), number(control), _equal(losses)]


def _equal(rows: Sequence[bool]) -> Cell:
    equal = sum(rows)
    return Cell(f"{equal} of {len(rows)}", equal / len(rows) if len(rows) else None)


def _case(case: Case) -> Section:
    reason = [case.reason] if case.reason else []
    reason += [f"Accepted: {each.cause}: {each.sentence}" for each in case.allowed]
    measure = [measured(case.comparison)] if case.comparison is not None else []
    as_expected = ", as expected" if case.as_expected and not case.allowed else ""
    return Section(
        f"{headline(case)}{as_expected}",
        texts=[*reason, *measure],
        quotes=[(f"The exception of the restore: {case.error.type}", case.error.message)]
        if case.error
        else [],
        diagnoses=by_remedy(case.diagnoses),
        accept=how_to_accept(case),
        tables=[]
        if case.comparison is None
        else [_tensors(case.comparison), _losses(case.comparison)],
        tone="" if case.as_expected else "bad",
    )


def _tensors(comparison: Comparison) -> Table:
    """Return the table of tensors at the boundary, those that differ first."""
    differing_first = sorted(as_it_differs(comparison).boundary, key=lambda row: row.equal)
    rows, note = shortened(differing_first, _tensor, "tensors.csv")
    numbers = ("differing elements", "largest difference", "norm", "control’s")
    heads = ("tensor", "kind", "shape", "equal", *numbers, "resumed value equals")
    return Table(heads, rows, "Tensors at the boundary, before any update", note, folded=True)


def _tensor(row: TensorComparison) -> list[Cell]:
    texts = [Cell(text) for text in (row.name, row.kind.value, row.control_shape)]
    numbers = [
        number(value)
        for value in (row.differing, row.max_abs_diff, row.resumed_norm, row.control_norm)
    ]
    return [
        *texts,
        _whether(row.equal),
        *numbers,
        Cell(f"{row.origin.what} {row.origin.name}".strip()),
    ]


def _whether(equal: bool) -> Cell:
    return Cell("yes", tone="good") if equal else Cell("no", tone="bad")


def _losses(comparison: Comparison) -> Table:
    rows, note = shortened(comparison.steps, _loss, "losses.csv")
    heads = ("step", "training loss", "control’s", "difference", "equal", "batch equal")
    return Table(heads, rows, "Training losses after the boundary", note, folded=True)


def _loss(row: StepComparison) -> list[Cell]:
    losses = number(row.resumed_loss, repr), number(row.control_loss, repr)
    return [
        number(row.control_step),
        *losses,
        number(row.diff),
        _whether(row.equal),
        _whether(row.batch_equal),
    ]


def _curves(job: str, cases: Sequence[Case]) -> Section:
    control = next((case.control for case in cases if case.control), None)
    if control is None or not control.losses:
        return Section(job, texts=["The control did not finish, so there are no curves."])
    schedule, steps = control.facts.schedule, len(control.losses)
    boundary = schedule.boundary
    range_ = Range1d(start=0, end=steps + 1, bounds=(0, steps + 1), name=job)
    shown = [(case, STYLES[index % len(STYLES)]) for index, case in enumerate(cases)]
    figures = [
        _losses_drawn(range_, control, shown),
        _evaluations_drawn(range_, control, shown),
        _differences_drawn(range_, shown),
    ]
    for drawn in figures:
        for place in schedule.boundaries:
            drawn.add_layout(Span(location=place, dimension="height", line_color="black"))
    around = ("Zoom to the boundary", max(0, boundary - AROUND), min(steps + 1, boundary + AROUND))
    zooms = [around, ("After the boundary", boundary, steps + 1), ("Whole run", 0, steps + 1)]
    places = listed(list(map(str, schedule.boundaries)))
    line = "line" if len(schedule.boundaries) == 1 else "lines"
    saved = (
        f"Saved after step {places} of {schedule.steps}, at the vertical {line}, and restored from "
        "there in new processes."
    )
    return Section(job, texts=[saved], figures=figures, axis=job, zooms=zooms)


def _losses_drawn(range_: Range1d, control: Run, shown: Shown) -> Any:
    made = axes("training loss", range_, STEPS)
    steps = np.arange(1, len(control.losses) + 1)
    made.line(
        steps,
        np.array(control.losses),
        color=CONTROL,
        line_width=6,
        legend_label="control",
        name="control",
    )
    for case, (colour, style, _) in shown:
        if case.comparison is not None and case.resumed is not None:
            after = case.comparison.first_step[0] + 1 + np.arange(len(case.resumed.losses))
            made.line(
                after,
                np.array(case.resumed.losses),
                color=colour,
                line_dash=DASHES[style],
                line_width=2,
                legend_label=f"{case.label}: {case.told_outcome}",
                name=case.label,
            )
    return finished(made)


def _evaluations_drawn(range_: Range1d, control: Run, shown: Shown) -> Any:
    made = axes("validation loss", range_, STEPS, height=220)
    done, losses = np.array(control.facts.evaluations, float).reshape(-1, 2).T
    made.line(done, losses, color=CONTROL, line_width=6, name="control")
    for case, (colour, style, _) in shown:
        if case.comparison is not None and case.resumed is not None:
            done, losses = np.array(case.resumed.facts.evaluations, float).reshape(-1, 2).T
            made.line(
                done, losses, color=colour, line_dash=DASHES[style], line_width=2, name=case.label
            )
            made.scatter(done, losses, color=colour, size=6, name=case.label)
    return finished(made)


def _differences_drawn(range_: Range1d, shown: Shown) -> Any:
    """Draw the difference of each restore from the control, with a lane of its own for 0."""
    made = axes("|resumed − control|", range_, STEPS, height=200)
    made.yaxis.ticker = [EXACT_LANE, 1e-7, 1e-3, 10]
    made.yaxis.major_label_overrides = {
        EXACT_LANE: "exact (0)",
        1e-7: "1e-7",
        1e-3: "1e-3",
        10: "10",
    }
    made.y_range = Range1d(start=EXACT_LANE / 8, end=100)
    for case, (colour, _, _) in shown:
        if case.comparison is not None and case.control is not None:
            apart = np.abs([row.diff for row in case.comparison.steps])
            steps = case.comparison.first_step[0] + 1 + np.arange(len(apart))
            made.scatter(
                steps,
                laned(apart),
                color=colour,
                size=7 if case.outcome == RECOVERED else 5,
                name=case.label,
            )
    return finished(made, follows=False)
