"""A drill on a terminal: a row for each kill, why some lost too much, and last the verdict."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Column
from rich.text import Text

from ckptcheck.drills.drilled import LOST_WORK, DrillReport
from ckptcheck.drills.sentences import HEADS, MEANINGS, cells, heading, stories, verdict_line
from ckptcheck.outcomes import FAIL, INCONCLUSIVE, PASS, RECOVERED
from ckptcheck.report.outputs.console import print_trimmed, unruled
from ckptcheck.text_safety import shown_in_lines

_COLOURS = {PASS: "green", FAIL: "red", INCONCLUSIVE: "yellow"}
_MARKED = {RECOVERED: "green", LOST_WORK: "green", INCONCLUSIVE: "yellow"}


def show(report: DrillReport, console: Console, *, verbose: bool = False, where: str = "") -> None:
    """Print a report as wide as the console; `where` says where its files are."""
    table = unruled(
        Column(HEADS[0], no_wrap=True),
        Column(HEADS[1], overflow="fold"),
        Column(HEADS[2], no_wrap=True),
        Column("went on\nfrom", no_wrap=True),
        Column("made\ntwice", justify="right", no_wrap=True),
    )
    for row in report.rows:
        *words, went_on, twice = cells(row)
        colour = _MARKED.get(row.outcome, "magenta") if row.is_good else "magenta"
        table.add_row(*words[:2], Text(words[2], style=colour), went_on, twice)
    print_trimmed(console, Text(heading(report)), Text(), table, Text())
    used = dict.fromkeys(row.outcome for row in report.rows)
    print_trimmed(console, *(Text(f"{each}: {MEANINGS[each]}.") for each in used), Text())
    for lines in stories(report):
        print_trimmed(console, Group(*map(_indented, lines)), Text())
    if where:
        print(f"{shown_in_lines(where)}\n", file=console.file)  # not wrapped: a path is copied
    show_line(report, console)


def show_line(report: DrillReport, console: Console) -> None:
    """Print the verdict in one line."""
    line = Text(verdict_line(report), style=f"bold {_COLOURS[report.verdict]}")
    print_trimmed(console, line, soft_wrap=not console.is_terminal)


def _indented(line: str) -> RenderableType:
    """Return a line whose further lines are indented, too."""
    text = line.lstrip()
    return Padding(Text(text), (0, 0, 0, len(line) - len(text)))
