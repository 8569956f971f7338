"""The figure of a study: median curves with bands over the seeds, readable in grey.

Functions import matplotlib only when they draw, because the import is slow.
"""

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from ckptcheck.counts import counted
from ckptcheck.report.outputs.figure import STYLES
from ckptcheck.studies.humps import Floats
from ckptcheck.studies.summary import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# With more variants than this, each has its own panel, with its reference.
MOST_OVERLAID = 3
COLUMNS = 3
# Dark and light colours with different line styles, to differ in grey too.
LINES = tuple(
    (colour, style) for (colour, _, _), style in zip(STYLES, ("-", "--", ":"), strict=False)
)
REFERENCE = "#8a8a8a"  # colour of the reference variant
PANELS = (
    ("train_loss", "training loss"),
    ("train_accuracy", "training accuracy"),
    ("validation_loss", "validation loss"),
    ("validation_accuracy", "validation accuracy"),
)


def plot_study(study: Study) -> "Figure":
    """Draw a study: few variants overlaid, many side by side."""
    figure = _overlaid(study) if len(study.variants) <= MOST_OVERLAID else _side_by_side(study)
    what = f"{study.dataset}, {counted(study.seeds, 'seed')}: median and range"
    figure.suptitle(f"{study.definition.question}\n{what}", fontsize=12)
    return figure


def _overlaid(study: Study) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.6, 7.6), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True)
    for axis, (curve, label) in zip(axes.flat, PANELS, strict=True):
        for variant, (colour, style) in zip(study.variants, LINES, strict=False):
            _band(axis, curves_of(study, variant.name, curve), colour, style, variant.name)
        axis.set_ylabel(label)
        _scale(axis, curve)
    axes[0, 0].legend(fontsize=9)
    for axis in axes[1]:
        axis.set_xlabel("epoch")
    _mark_humps(axes[1, 0], study)
    return figure


def _side_by_side(study: Study) -> "Figure":
    """Draw the validation loss of each variant over that of its reference."""
    from matplotlib.figure import Figure

    rows = -(-len(study.variants) // COLUMNS)
    figure = Figure(figsize=(10.6, 1.1 + 2.1 * rows), layout="constrained")
    axes = list(figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False).flat)
    against = dict(study.pairs)
    colour, _ = LINES[0]
    for axis, variant in zip(axes, study.variants, strict=False):
        if other := against.get(variant.name):
            _band(axis, curves_of(study, other, "validation_loss"), REFERENCE, "--", other)
        _band(axis, curves_of(study, variant.name, "validation_loss"), colour, "-", variant.name)
        axis.set_title(textwrap.fill(variant.text, 56), fontsize=8, loc="left")
        axis.legend(fontsize=8, loc="upper right")
        _scale(axis, "validation_loss")
    for axis in axes[len(study.variants) :]:
        axis.set_axis_off()
    figure.supxlabel("epoch", fontsize=10)
    figure.supylabel("validation loss", fontsize=10)
    return figure


def curves_of(study: Study, variant: str, curve: str) -> Floats:
    """Return the curves of a variant, one row for each seed. (seeds, epochs)"""
    return np.array([getattr(each.curves, curve) for each in study.of(variant)], np.float64)


def _band(axis: "Axes", curves: Floats, colour: str, style: str, label: str) -> None:
    epochs = np.arange(1, curves.shape[1] + 1)
    axis.fill_between(epochs, curves.min(0), curves.max(0), color=colour, alpha=0.18, linewidth=0)
    drawn = axis.plot(
        epochs, np.median(curves, 0), color=colour, linestyle=style, linewidth=1.6, label=label
    )
    if len(epochs) == 1:  # a line needs two points
        drawn[0].set_marker("o")


def _scale(axis: "Axes", curve: str) -> None:
    if curve.endswith("loss"):
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter("{x:g}")
    axis.grid(alpha=0.25)


def _mark_humps(axis: "Axes", study: Study) -> None:
    """Mark the epochs of humps as bars below the curves, a row for each variant."""
    below = axis.get_xaxis_transform()
    rows = [
        (row, run)
        for row, variant in enumerate(study.variants)
        for run in study.of(variant.name)
        if run.humps
    ]
    for row, run in rows:
        colour, _ = LINES[row]
        height = 0.03 + 0.03 * row
        for hump in run.humps:
            epochs = [hump.start, hump.start + hump.length - 1]
            axis.plot(
                epochs, [height, height], transform=below, color=colour, linewidth=4, alpha=0.6
            )
    if rows:
        axis.text(
            0.01,
            0.03 + 0.03 * len(study.variants),
            "bars: humps",
            transform=axis.transAxes,
            fontsize=8,
        )
