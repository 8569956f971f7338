"""A verification as an HTML page, for a reviewer of a pull request."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from bokeh.models import Range1d
from bokeh.models.annotations import Span

from ckptcheck.comparison.comparison import Comparison, StepComparison, TensorComparison
from ckptcheck.counts import filled
from ckptcheck.outcomes import FAIL, INCONCLUSIVE, PASS, RECOVERED
from ckptcheck.report.case import Case, as_it_differs, with_losses
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
from ckptcheck.report.outputs import moving_statistics
from ckptcheck.report.outputs.figure import (
    CONTROL,
    EXACT_LANE,
    STYLES,
    Shown,
    have_logarithms,
    laned,
)
from ckptcheck.report.report import Report
from ckptcheck.report.sentences import (
    by_remedy,
    how_to_accept,
    measured,
    numbers,
    short_names,
    where_saved,
)
from ckptcheck.report.told import Told
from ckptcheck.run.run import Run
from ckptcheck.text_safety import in_one_line

EVALUATION = "evaluation loss\nresumed, control"
STEPS = "training steps done"
HEADS = ("job", "restore", "outcome", "tensors\nequal", EVALUATION, "training\nlosses equal")
TONES = {PASS: "good", FAIL: "bad", INCONCLUSIVE: "unknown"}
OVERVIEW = "cases"
# More moving statistics are folded.
MOST_IN_SIGHT = 60
# Steps on each side of the boundary that its zoom button shows.
AROUND = 6


def page(report: Report, command: str = "", drawing: str = "") -> str:
    """Return a report as one HTML file, see `report_page`."""
    told = report.told()
    names = {id(case): f"case-{index}" for index, case in enumerate(report.cases, start=1)}
    sections = [Section("Cases", tables=[_overview(report.cases, told, names)])]
    if drawing:
        # A document of its own begins with a declaration, which a part of a page may not have.
        sections.append(Section("Timeline", drawing=drawing[drawing.index("<svg") :]))
    sections += [*_moving_statistics(report.cases), *_warnings(report)]
    for job in dict.fromkeys(case.job for case in report.cases):
        cases = [case for case in report.cases if case.job == job]
        sections += [_curves(job, cases), *(_case(case, names[id(case)]) for case in cases)]
    return rendered(
        "ckptcheck: recovery of training jobs",
        told.verdict,
        sections,
        report.environment,
        TONES[report.verdict],
        told.answer,
        min((case.control.facts.started for case in report.cases if case.control), default=0.0),
        command,
    )


def _overview(cases: Sequence[Case], told: Told, names: Mapping[int, str]) -> Table:
    """Return the table of all cases, each of which leads to its section."""
    if told.heads:
        of_told = zip(cases, told.rows, strict=True)
        rows = [_told_row(each, case, names[id(case)]) for case, each in of_told]
        return Table(told.heads, rows, name=OVERVIEW)
    short = short_names(cases)
    rows = [_row(case, short[case.job], names[id(case)]) for case in cases]
    return Table(HEADS, rows, name=OVERVIEW)


def _told_row(texts: Sequence[str], case: Case, name: str) -> list[Cell]:
    first, *others = texts
    return [Cell(first, link=name, tone=_tone(case)), *map(Cell, others)]


def _row(case: Case, job: str, name: str) -> list[Cell]:
    tensors, evaluation, losses = numbers(case)
    _, resumed = case.boundary_eval or (None, None)
    return [
        Cell(job),
        Cell(case.label, link=name),
        Cell(_outcome(case), tone=_tone(case)),
        Cell(tensors, _share(tensors)),
        Cell(evaluation, None if resumed is None else number(resumed).value),
        Cell(losses, _share(losses)),
    ]


def _outcome(case: Case) -> str:
    """Return the outcome, and whether it was expected where it is no recovery or unexpected."""
    if not case.as_expected:
        return f"✗ {case.told_outcome}, expected {case.expected}"
    return case.told_outcome + ("" if case.outcome == RECOVERED else ", as expected")


def _tone(case: Case) -> str:
    """Return the tone of an outcome: a failure that was expected is neither good nor bad."""
    if case.outcome == INCONCLUSIVE:
        return "unknown"
    if not case.as_expected:
        return "bad"
    return "good" if case.outcome == RECOVERED else ""


def _share(counts: str) -> float | None:
    """Return the share of `3/4`, for sorting."""
    equal, slash, total = counts.partition("/")
    return int(equal) / int(total) if slash and int(total) else None


def _warnings(report: Report) -> list[Section]:
    texts = report.warnings()
    return [Section("Warnings", items=texts, name="warnings")] if texts else []


def _moving_statistics(cases: Sequence[Case]) -> list[Section]:
    """Return the moving means and variances of each job, in the control and after each restore."""
    restored = moving_statistics.by_job(cases)
    if not restored:
        return []
    short = short_names(cases)
    shown = sum(len(of_job[0][1]) for of_job in restored.values())
    tables = [
        _norms(short[job], of_job, folded=shown > MOST_IN_SIGHT) for job, of_job in restored.items()
    ]
    whole, *changed = (text.plain for text in moving_statistics.summary(cases))
    items = [text.removeprefix("but not ") for text in changed]
    return [Section("Moving means and variances", [whole], items, tables=tables)]


def _norms(job: str, restored: Sequence[moving_statistics.Restored], *, folded: bool) -> Table:
    by_name = [{row.name: row for row in rows} for _, rows in restored]
    heads = ("moving statistic", "norm in\ncontrol", *(case.label for case, _ in restored))
    rows, note = shortened(
        list(by_name[0].values()),
        lambda row: [
            Cell(row.name),
            number(row.control_norm, "{:.4g}".format),
            *(_norm(each.get(row.name)) for each in by_name),
        ],
        "tensors.csv",
    )
    return Table(heads, rows, f"{job}: norms after the restore", note, folded=folded)


def _norm(row: TensorComparison | None) -> Cell:
    if row is None or not row.resumed_dtype:
        return Cell("missing", tone="bad")
    text = moving_statistics.norm(row)
    return Cell(text, number(row.resumed_norm).value, tone="" if row.equal else "bad")


def _case(case: Case, name: str) -> Section:
    reason = [case.reason] if case.reason else []
    reason += [f"Accepted: {each.cause}: {each.sentence}" for each in case.allowed]
    measure = [measured(case.comparison)] if case.comparison is not None else []
    return Section(
        in_one_line(f"{case.name}: {_outcome(case)}"),
        texts=[*reason, *measure, *case.notes],
        quotes=[(f"The exception of the restore: {case.error.type}", case.error.message)]
        if case.error
        else [],
        diagnoses=by_remedy(case.diagnoses),
        accept=how_to_accept(case),
        tables=[]
        if case.comparison is None
        else [_tensors(case.comparison), *_losses(case.comparison)],
        tone=_tone(case),
        name=name,
        back=OVERVIEW,
        level=3,
    )


def _tensors(comparison: Comparison) -> Table:
    """Return the table of tensors at the boundary, or in the files, those that differ first."""
    compared, title = (
        as_it_differs(comparison).boundary,
        "Tensors at the boundary, before any update",
    )
    if comparison.is_of_files:
        compared, title = as_it_differs(comparison).final, "Tensors in the final checkpoint"
    differing_first = sorted(compared, key=lambda row: row.equal)
    rows, note = shortened(differing_first, _tensor, "tensors.csv")
    numbers = ("differing elements", "largest difference", "norm", "control’s")
    heads = ("tensor", "kind", "shape", "equal", *numbers, "resumed value equals")
    return Table(heads, rows, title, note, folded=True)


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


def _losses(comparison: Comparison) -> list[Table]:
    """Return the table of steps after the boundary, without what was not seen of them."""
    have_losses, have_batches = bool(with_losses(comparison)), "batches" not in comparison.unseen
    if not (have_losses or have_batches):
        return []
    of_loss = ("training loss", "control’s", "difference", "equal") if have_losses else ()
    heads = ("step", *of_loss, *(("batch equal",) if have_batches else ()))

    def cells(row: StepComparison) -> list[Cell]:
        of_batch = [_whether(row.batch_equal)] if have_batches else []
        return [number(row.control_step), *(_loss(row) if have_losses else []), *of_batch]

    rows, note = shortened(comparison.steps, cells, "losses.csv")
    title = "Training losses after the boundary" if have_losses else "Steps after the boundary"
    return [Table(heads, rows, title, note, folded=True)]


def _loss(row: StepComparison) -> list[Cell]:
    losses = number(row.resumed_loss, repr), number(row.control_loss, repr)
    return [*losses, number(row.diff), _whether(row.equal)]


def _curves(job: str, cases: Sequence[Case]) -> Section:
    control = next((case.control for case in cases if case.control), None)
    if control is None:
        return Section(job, texts=["The control did not finish, so there are no curves."])
    if not (control.losses or control.facts.evaluations):
        return Section(job, texts=["No loss was seen, so there are no curves."])
    schedule, steps = control.facts.schedule, len(control.steps)
    boundary = schedule.boundary
    range_ = Range1d(start=0, end=steps + 1, bounds=(0, steps + 1), name=job)
    shown = [(case, STYLES[index % len(STYLES)]) for index, case in enumerate(cases)]
    figures = [_losses_drawn(range_, control, shown)] if control.losses else []
    figures += [_evaluations_drawn(range_, control, shown)] if control.facts.evaluations else []
    figures += [_differences_drawn(range_, shown)] if control.losses else []
    for drawn in figures:
        for place in schedule.boundaries:
            drawn.add_layout(Span(location=place, dimension="height", line_color="black"))
    around = ("Zoom to the boundary", max(0, boundary - AROUND), min(steps + 1, boundary + AROUND))
    zooms = [around, ("After the boundary", boundary, steps + 1), ("Whole run", 0, steps + 1)]
    saved = filled(
        "{saved}, at the vertical {count:line|lines}, and restored from there in new processes.",
        count=len(schedule.boundaries),
        saved=where_saved(control).capitalize(),
    )
    return Section(job, texts=[saved], figures=figures, axis=job, zooms=zooms)


def _losses_drawn(range_: Range1d, control: Run, shown: Shown) -> Any:
    runs = [control, *(case.resumed for case, _ in shown if case.resumed)]
    logarithmic = have_logarithms(*(run.losses for run in runs))
    made = axes("training loss", range_, STEPS, logarithmic=logarithmic)
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
    runs = [control, *(case.resumed for case, _ in shown if case.resumed)]
    logarithmic = have_logarithms(*([loss for _, loss in run.facts.evaluations] for run in runs))
    made = axes("validation loss", range_, STEPS, logarithmic=logarithmic, height=220)
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
            apart = np.abs([row.diff for row in with_losses(case.comparison)])
            steps = case.comparison.first_step[0] + 1 + np.arange(len(apart))
            made.scatter(
                steps,
                laned(apart),
                color=colour,
                size=7 if case.outcome == RECOVERED else 5,
                name=case.label,
            )
    return finished(made, follows=False)
