"""What verifications and studies share: the parts of a page, and how they become one file."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from bokeh.embed import components
from bokeh.models import CustomJS, HoverTool, LogScale, Range1d
from bokeh.plotting import figure
from bokeh.resources import Resources
from jinja2 import Environment, PackageLoader, StrictUndefined

from ckptcheck.counts import counted
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.report.sentences import explanation, heading
from ckptcheck.text_safety import legible

Row = TypeVar("Row")

# Longer tables make the browser slow; the CSV files have all rows.
MOST_ROWS = 500
# In the line below the verdict; the table of the environment has all.
VERSIONS = ("python", "tensorflow", "keras", "torch")
ABSENT = "absent"
NONE = "–"
LEGEND_ROW = 24  # the height in pixels
DASHES = {"-": "solid", "--": "dashed", "-.": "dotdash", ":": "dotted"}


@dataclass(frozen=True)
class Cell:
    """A cell: its text, its number for sorting (None: by text), its tone, the part it links to.

    A tone is good, bad, unknown or empty.
    """

    text: str
    value: float | None = None
    tone: str = ""
    link: str = ""

    @property
    def is_number(self) -> bool:
        """Whether the cell is set like a number: it is one, or a dash in place of one."""
        return self.value is not None or self.text == NONE


@dataclass(frozen=True)
class Table:
    """A table that sorts by each column; `folded`: closed at first, `name`: for links to it."""

    heads: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    note: str = ""
    folded: bool = False
    name: str = ""


@dataclass(frozen=True)
class Section:
    """A part of a page with its own title; what stands in backticks in its texts is code."""

    title: str
    texts: Sequence[str] = ()
    items: Sequence[str] = ()
    # Verbatim texts, folded: (title, text).
    quotes: Sequence[tuple[str, str]] = ()
    # Diagnoses by the remedy that they share, and the options that accept all of them.
    diagnoses: Mapping[str, Sequence[Diagnosis]] = field(default_factory=dict)
    accept: str = ""
    # Charts below each other, the name of their x axis, and its zoom buttons with first and last x.
    figures: Sequence[Any] = ()
    axis: str = ""
    zooms: Sequence[tuple[str, float, float]] = ()
    tables: Sequence[Table] = ()
    drawing: str = ""  # as SVG
    tone: str = ""
    # For links: its own name, and that of the part it leads back to.
    name: str = ""
    back: str = ""
    level: int = 2


def rendered(
    title: str,
    verdict: str,
    sections: Sequence[Section],
    environment: Mapping[str, str],
    tone: str = "",
    answer: str = "",
    started: float = 0.0,
    command: str = "",
) -> str:
    """Return a page as one HTML file.

    Args:
        title, verdict: what the page is of, and its result in one line.
        sections: the parts of the page, in order.
        environment: versions and switches by name.
        tone: the tone of the verdict: good, bad, unknown or empty.
        answer: the result in prose; code stands in backticks.
        started: when the first run started, in seconds since 1970; 0: unknown.
        command: the command that made the page.
    """
    drawn = {
        f"{section.axis} {index}": made
        for section in sections
        for index, made in enumerate(section.figures)
    }
    script, places = components(drawn) if drawn else ("", {})
    template = Environment(
        loader=PackageLoader("ckptcheck.report.html", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: legible(value) if type(value) is str else value,
    )
    template.trim_blocks = template.lstrip_blocks = True
    return template.get_template("page.html").render(
        title=title,
        verdict=verdict,
        answer=answer,
        tone=tone,
        facts=_facts(environment, started),
        command=command,
        heading=heading,
        explanation=explanation,
        sections=sections,
        environment=environment,
        places=places,
        script=script,
        # All of Bokeh, so that the file works without a network.
        library=Resources(mode="inline", components=["bokeh"]).render() if drawn else "",
        version=version("ckptcheck"),
    )


def _facts(environment: Mapping[str, str], started: float) -> list[str]:
    """Return the date, the main versions and the machine, each as a clause."""
    date = datetime.fromtimestamp(started or time.time(), timezone.utc)
    names = [name for name in VERSIONS if environment.get(name, ABSENT) != ABSENT]
    cores = environment.get("cores")
    return [
        f"{date:%Y-%m-%d %H:%M} UTC",
        f"ckptcheck {version('ckptcheck')}",
        *(f"{name} {environment[name]}" for name in names),
        *filter(None, [environment.get("platform")]),
        *([counted(int(cores), "core")] if cores and cores.isdecimal() else []),
    ]


def shortened(
    rows: Sequence[Row], write: Callable[[Row], Sequence[Cell]], where: str
) -> tuple[list[Sequence[Cell]], str]:
    """Return the first rows as cells, and a note on where the rest is, if there is any."""
    note = (
        f"The first {MOST_ROWS} of {len(rows)} rows; {where} has all of them."
        if len(rows) > MOST_ROWS
        else ""
    )
    return [write(row) for row in rows[:MOST_ROWS]], note


def number(value: float, write: Callable[[float], str] = "{:.6g}".format) -> Cell:
    """Return a cell that sorts as a number, NaN last."""
    return Cell(write(value), None if math.isnan(value) else min(max(value, -1e300), 1e300))


def axes(
    label: str, x_range: Range1d, x_label: str, *, logarithmic: bool = True, height: int = 260
) -> Any:
    """Return an empty Bokeh chart; see `finished`."""
    made = figure(
        height=height,
        sizing_mode="stretch_width",
        x_range=x_range,
        y_axis_type="log" if logarithmic else "linear",
        tools="xbox_zoom,xpan,xwheel_zoom,reset,save",
        active_drag="xbox_zoom",
        x_axis_label=x_label,
        y_axis_label=label,
        min_border_left=80,  # aligns the charts below each other
    )
    made.toolbar.logo = None
    made.background_fill_color = made.border_fill_color = None  # the page's, light or dark
    made.yaxis.minor_tick_line_color = None
    tooltips = [("", "$name"), (x_label, "@x"), (label, "@y{%.6g}")]
    made.add_tools(HoverTool(tooltips=tooltips, formatters={"@y": "printf"}, mode="mouse"))
    return made


# Zooming in on steps shows them in full height; Bokeh's automatic ranges do not follow a zoom.
FOLLOW = Path(__file__).with_name("follow.js").read_text(encoding="utf-8")


def finished(made: Any, *, follows: bool = True) -> Any:
    """Fit the y axis to the visible part of the curves; a click on the legend hides a curve."""
    if follows:
        _follow(made)
    for legend in list(made.legend):
        legend.click_policy = "hide"
        legend.label_text_font_size = "9pt"
        legend.background_fill_color = legend.border_line_color = None
        _move_above(made, legend)
    return made


def _move_above(made: Any, legend: Any) -> None:
    """Put a legend above the curves, which it would hide on a narrow page."""
    made.center.remove(legend)
    legend.orientation, legend.ncols, legend.margin, legend.padding = "horizontal", 2, 0, 2
    made.add_layout(legend, "above")
    made.height += LEGEND_ROW * math.ceil(len(legend.items) / 2)


def _follow(made: Any) -> None:
    sources = [renderer.data_source for renderer in made.renderers]
    logarithmic = isinstance(made.y_scale, LogScale)
    values = np.concatenate(
        [
            np.asarray(s.data[name], float)
            for s in sources
            for name in s.data
            if name.startswith("y")
        ]
    )
    shown = values[np.isfinite(values) & ((values > 0) | (not logarithmic))]
    if not len(shown):
        return
    low, high = float(shown.min()), float(shown.max())
    made.y_range = (
        Range1d(start=low / 1.2, end=high * 1.2)
        if logarithmic
        else Range1d(start=low - 0.02, end=high + 0.02)
    )
    follow = CustomJS(
        args={"sources": sources, "x": made.x_range, "y": made.y_range, "logarithmic": logarithmic},
        code=FOLLOW,
    )
    for end in ("start", "end"):
        made.x_range.js_on_change(end, follow)
