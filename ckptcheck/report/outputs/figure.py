"""The overlaid curves of control and resumed runs, their differences, and the moving statistics.

matplotlib is imported only when something is drawn: it is slow to import.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ckptcheck.arrays import Array, as_float
from ckptcheck.job.loading import is_own
from ckptcheck.job.schedule import Schedule
from ckptcheck.kinds import Kind
from ckptcheck.outcomes import RECOVERED
from ckptcheck.report.case import Case, with_losses
from ckptcheck.report.report import Report
from ckptcheck.run.run import Run
from ckptcheck.text_safety import legible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Dark, and distinct in lightness for grey prints; each has its own line style and marker.
COLOURS = ("#0b3c8c", "#e07b00", "#7a1fa2", "#2e7d32", "#c2185b", "#00838f", "#5d4037", "#827717")
Style = tuple[str, str, str]
STYLES: tuple[Style, ...] = tuple(zip(COLOURS, ("--", "-.", ":", "-") * 2, "os^DvPX*", strict=True))
Shown = Sequence[tuple[Case, Style]]
CONTROL = "#b5b5b5"
LABELS = (
    "training loss",
    "validation loss",
    "|resumed − control|\nof the losses",
    "restored moving statistic",
)
# Differences have a logarithmic scale; 0, which has no logarithm, has a lane of its own below it.
EXACT_LANE = 1e-11
# Jobs side by side, and the height of one row of them in inches.
MOST_COLUMNS, ROW = 4, 10.2
LANE_EDGE = 1e-10
# An axis reaches beyond its largest value, and must stay within the floats.
MOST_DRAWN = 1e250


def plot(report: Report) -> "Figure":
    """Draw one column for each job: losses, their differences, the restored moving statistics."""
    from matplotlib.figure import Figure

    jobs = list(dict.fromkeys(case.job for case in report.cases if case.control))
    columns = min(len(jobs), MOST_COLUMNS)
    rows = -(-len(jobs) // MOST_COLUMNS)
    width, height = max(5.2 * columns, 6.4), ROW * max(1, rows)
    figure = Figure(figsize=(width, height))
    if not jobs:
        figure.text(0.5, 0.5, "No control finished, so there are no curves.", ha="center")
        return figure
    for row in range(rows):
        # Margins in inches, by hand: an automatic layout takes as long as all of the drawing.
        top, bottom = 1 - ROW * (row + 0.075) / height, 1 - ROW * (row + 0.945) / height
        sides = {"left": 1.15 / width, "right": 1 - 0.15 / width, "top": top, "bottom": bottom}
        grid = figure.add_gridspec(
            4, columns, height_ratios=(3, 2.2, 1.5, 2.4), hspace=0.27, wspace=0.2, **sides
        )
        drawn = jobs[row * MOST_COLUMNS : (row + 1) * MOST_COLUMNS]
        lines = [
            [figure.add_subplot(grid[line, column]) for column in range(len(drawn))]
            for line in range(4)
        ]
        for job, *axes in zip(drawn, *lines, strict=True):
            _draw_job(
                axes, job, [case for case in report.cases if case.job == job], job == drawn[0]
            )
    title = "Does training continue as if never interrupted? Control against each restore"
    figure.suptitle(title, fontsize=13 if columns > 1 else 9.5, y=1 - 0.02 * ROW / height)
    return figure


def save_figure(figure: "Figure", folder: Path, name: str) -> None:
    """Write a figure as `name.png` and `name.svg`, with the same bytes for the same figure."""
    import matplotlib

    figure.savefig(folder / f"{name}.png", dpi=110, pil_kwargs={"compress_level": 3})
    with matplotlib.rc_context({"svg.hashsalt": "ckptcheck", "svg.fonttype": "none"}):
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


def _draw_job(axes: Sequence["Axes"], job: str, cases: Sequence[Case], labelled: bool) -> None:
    training, validation, difference, statistics = axes
    control = next(case.control for case in cases if case.control)
    shown = [(case, STYLES[index % len(STYLES)]) for index, case in enumerate(cases)]
    _draw_curves(training, validation, control, shown)
    training.set_title(
        legible(job.rpartition("/")[2] if is_own(job) else job), fontweight="bold", loc="left"
    )
    _draw_difference(difference, shown)
    _draw_statistics(statistics, shown)
    for axis in (training, validation, difference):
        for boundary in control.facts.schedule.boundaries:
            axis.axvline(boundary, color="black", linewidth=0.8)
        axis.grid(alpha=0.25)
        axis.set_xlim(_first_shown(control.facts.schedule), control.facts.schedule.steps + 1)
        axis.tick_params(labelbottom=axis is difference)
    difference.set_xlabel("training steps done")
    if labelled:
        for axis, label in zip(axes, LABELS, strict=True):
            axis.set_ylabel(label)


def _first_shown(schedule: Schedule) -> int:
    """Return the step at which curves begin: a little more before the boundary than after it."""
    return max(0, schedule.boundary - schedule.steps_after * 6 // 5)


def _draw_curves(training: "Axes", validation: "Axes", control: Run, shown: Shown) -> None:
    boundary = control.facts.schedule.boundary
    start = _first_shown(control.facts.schedule)
    steps = list(range(start + 1, len(control.losses) + 1))
    training.plot(
        steps,
        drawable(control.losses[start:]),
        color=CONTROL,
        linewidth=6,
        label="control, never interrupted",
    )
    validation.plot(
        *_evaluated(control, start), color=CONTROL, linewidth=6, marker="o", markersize=9
    )
    for case, (colour, style, marker) in shown:
        label = legible(f"{case.label}: {case.told_outcome}")
        if case.comparison is None or case.resumed is None:
            training.plot(
                [], [], color=colour, linestyle="none", marker="x", label=f"{label}, no curve"
            )
            continue
        begun = case.resumed.facts.schedule.boundary
        steps = [begun + index + 1 for index in range(len(case.resumed.losses))]
        training.plot(
            steps,
            drawable(case.resumed.losses),
            color=colour,
            linestyle=style,
            linewidth=1.7,
            label=label,
        )
        evaluated = _evaluated(case.resumed)
        validation.plot(
            *evaluated, color=colour, linestyle=style, linewidth=1.7, marker=marker, markersize=5
        )
    for axis, what in ((training, "training"), (validation, "validation")):
        if any(len(np.asarray(line.get_xdata())) for line in axis.lines):
            _scale_losses(axis)
        else:
            axis.set_yticks([])
            _say(axis, f"no {what} loss was seen")
    here = validation.get_xaxis_transform()
    left = boundary - start < (len(control.steps) - start) / 3  # no room on that side
    text = " saved and restored here" if left else "saved and restored here "
    validation.text(
        boundary, 0.03, text, transform=here, fontsize=8, ha="left" if left else "right"
    )
    training.legend(fontsize=8, loc="upper right")


def _scale_losses(axis: "Axes") -> None:
    """Scale an axis logarithmically, if every loss on it has a logarithm."""
    from matplotlib.ticker import LogLocator, NullFormatter

    if have_logarithms(*(np.asarray(line.get_ydata(), float) for line in axis.lines)):
        axis.set_yscale("log")
        low, high = np.log10(axis.get_ylim())
        # Of more decades, the locator leaves out all of these ticks; of far more, it overflows.
        subs = (1,) if 3 <= high - low < 100 else (1, 2, 5)
        axis.yaxis.set_major_locator(LogLocator(subs=subs))
        axis.yaxis.set_minor_formatter(NullFormatter())
    # Plain numbers are easier to read than powers of ten, and drawn in half the time.
    axis.yaxis.set_major_formatter("{x:g}")


def _say(axis: "Axes", text: str) -> None:
    """Write a text in the middle of an axis that has nothing to show."""
    axis.text(0.5, 0.5, text, ha="center", va="center", transform=axis.transAxes)


def _evaluated(run: Run, start: int = 0) -> tuple[list[int], Array]:
    """Return the steps done at each evaluation from `start` on, and the losses."""
    shown = [(done, loss) for done, loss in run.facts.evaluations if done >= start]
    return [done for done, _ in shown], drawable([loss for _, loss in shown])


def _draw_difference(axis: "Axes", shown: Shown) -> None:
    largest = 1.0
    for case, (colour, _, marker) in shown:
        if case.comparison is None:
            continue
        steps, evaluations = with_losses(case.comparison), case.comparison.evaluations
        apart, evaluated = (np.abs([row.diff for row in rows]) for rows in (steps, evaluations))
        largest = max(largest, float(np.nanmax(apart, initial=0)))
        after = case.comparison.first_step[0] + 1 + np.arange(len(apart))
        axis.plot(
            after, laned(apart), color=colour, linestyle="none", marker=marker, markersize=3.5
        )
        done = [row.steps_done for row in evaluations]
        axis.plot(
            done,
            laned(evaluated),
            color=colour,
            linestyle="none",
            marker=marker,
            markersize=9,
            fillstyle="none",
        )
    axis.set_yscale("log")
    axis.set_ylim(EXACT_LANE / 8, min(largest, MOST_DRAWN) * 30)
    axis.axhspan(EXACT_LANE / 8, LANE_EDGE, color="#dff0d8", zorder=0)
    axis.set_yticks([EXACT_LANE, 1e-7, 1e-3, 1e1], ["exact (0)", "1e-7", "1e-3", "10"])
    axis.text(
        0.01,
        0.95,
        "filled: training; open: validation",
        transform=axis.transAxes,
        va="top",
        fontsize=8,
    )


def have_logarithms(*curves: Sequence[float] | Array) -> bool:
    """Return whether no value of any curve is negative or 0."""
    return not any((np.asarray(values, float) <= 0).any() for values in curves)


def drawable(values: Sequence[float] | Array) -> Array:
    """Return values without numbers so large or small that the ends of an axis overflow."""
    clipped = np.clip(np.asarray(values, float), -MOST_DRAWN, MOST_DRAWN)
    small: Array = np.where(clipped > 0, np.maximum(clipped, 1 / MOST_DRAWN), clipped)
    return small


def laned(apart: Array) -> Array:
    """Return where to draw differences on a logarithmic scale: 0 has a lane of its own."""
    # Any other difference lies outside the lane, however small it is.
    return np.where(apart == 0, EXACT_LANE, np.clip(apart, 3 * LANE_EDGE, MOST_DRAWN))


def _draw_statistics(axis: "Axes", shown: Shown) -> None:
    """Plot each element of the moving means and variances, restored against control."""
    drawn: list[Array] = []
    for case, (colour, _, marker) in shown:
        if case.comparison is None or case.control is None or case.resumed is None:
            continue
        control, resumed = (_statistics(run) for run in (case.control, case.resumed))
        if control.size == 0 or control.shape != resumed.shape:
            continue
        drawn.append(control)
        look: dict[str, Any] = {
            "markersize": 7 if case.outcome == RECOVERED else 4,
            "fillstyle": "none",
            "label": legible(case.label),
        }
        axis.plot(control, resumed, color=colour, linestyle="none", marker=marker, **look)
    if not drawn:
        axis.set_axis_off()
        _say(axis, "no moving statistics")
        return
    low, high = (
        min(float(values.min()) for values in drawn),
        max(float(values.max()) for values in drawn),
    )
    axis.plot([low, high], [low, high], color=CONTROL, linewidth=5, zorder=0, label="equal")
    # Means are near 0, and some variances are large: both must be visible.
    axis.set_xscale("symlog", linthresh=0.1)
    axis.set_yscale("symlog", linthresh=0.1)
    axis.xaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.set_xlabel("control's moving statistic, element by element")
    axis.legend(fontsize=8, loc="upper left")
    axis.grid(alpha=0.25)


def _statistics(run: Run) -> Array:
    values = [
        as_float(tensor.value).ravel()
        for tensor in run.boundary.values()
        if tensor.kind is Kind.MOVING_STATISTIC
    ]
    return drawable(np.concatenate(values)) if values else np.empty(0)
