"""The figure of a drill: saves, kills and restarts on the steps of the command."""

from typing import TYPE_CHECKING

from ckptcheck.drills.drilled import LOST_WORK, DrillReport, Row
from ckptcheck.outcomes import INCONCLUSIVE, RECOVERED
from ckptcheck.text_safety import legible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {RECOVERED: "tab:green", LOST_WORK: "tab:green", INCONCLUSIVE: "tab:gray"}
_BAD = "tab:red"


def plot_timeline(report: DrillReport) -> "Figure":
    """Return a figure with a lane for each kill.

    A lane shows the run until the kill (a cross) and, below it, the run that was started again,
    from the step that it went on from. Saves are vertical lines.
    """
    from matplotlib.figure import Figure  # slow to import
    from matplotlib.ticker import MaxNLocator

    timeline = report.timeline
    assert timeline is not None
    rows = report.rows
    figure = Figure(figsize=(9, 1.4 + 0.55 * (len(rows) + 1)), layout="constrained")
    axis = figure.add_subplot()
    axis.plot([0, timeline.steps], [0, 0], color="black", linewidth=2)
    for save in timeline.saves:
        axis.axvline(save, color="black", linewidth=0.7, alpha=0.5)
    for lane, row in enumerate(rows, 1):
        _draw(axis, lane, row, timeline.steps)
    axis.set_yticks(
        range(len(rows) + 1),
        ["control", *(legible(f"{row.point}: {row.outcome}") for row in rows)],
    )
    axis.set_ylim(len(rows) + 0.6, -0.6)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("step (vertical lines: saves; ✕: kill; ●: went on from)")
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.tick_params(axis="y", length=0)
    return figure


def _draw(axis: "Axes", lane: int, row: Row, steps: int) -> None:
    colour = _COLOURS.get(row.outcome, _BAD) if row.is_good else _BAD
    if row.outcome == INCONCLUSIVE:
        colour = _COLOURS[INCONCLUSIVE]
    above, below = lane - 0.12, lane + 0.12
    axis.plot([0, row.killed_at], [above, above], color="0.55", linewidth=2)
    axis.plot([row.killed_at], [above], marker="x", color="black", markersize=7, mew=2)
    if row.went_on_at is not None:
        axis.plot([row.went_on_at, steps], [below, below], color=colour, linewidth=2)
        axis.plot([row.went_on_at], [below], marker="o", color=colour, markersize=5)
    else:
        axis.plot([row.killed_at], [below], marker="s", color=colour, markersize=5)
