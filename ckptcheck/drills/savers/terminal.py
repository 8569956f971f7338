"""The study of savers on a terminal: a row for each saver, then the worst state of each."""

from collections.abc import Iterable

from rich.console import Console
from rich.padding import Padding
from rich.table import Column
from rich.text import Text

from ckptcheck.drills.savers.answers import KEPT, Crash, Outcome, Row
from ckptcheck.drills.savers.study import SaversReport
from ckptcheck.report.outputs.console import numeric, print_trimmed, unruled

HEAD = (
    "What a crash in the middle of an overwrite leaves, in states: kept (restores to the whole "
    "state before or after the save), refused (the restore fails), none (no checkpoint is found: "
    "training begins anew), wrong (something else is restored, without a complaint)."
)
_COLUMNS = (("kept", KEPT), ("refused", (Outcome.REFUSED,)), ("none", (Outcome.NOTHING,)))
COLUMNS = (*_COLUMNS, ("wrong", (Outcome.WRONG,)))
_COLOURS = {"kept": "green", "wrong": "red"}


def show(report: SaversReport, console: Console) -> None:
    """Print the table as wide as the console."""
    table = unruled(Column("saver", no_wrap=True), *map(numeric, _heads()))
    table.padding = (0, 1, 0, 0)
    for row in report.rows:
        name = f"  {row.saver.name}" if row.saver.fixes else row.saver.name
        table.add_row(name, *cells(row))
    print_trimmed(console, Text(HEAD), Text(), table, Text())
    for row in report.rows:
        for line in _story(row):
            print_trimmed(console, line)


def _heads() -> Iterable[str]:
    """Yield the head of each column of numbers; the first of a crash also names the crash."""
    for crash in Crash:
        for name, _ in COLUMNS:
            above = f"{crash.value.split()[0]}:" if name == COLUMNS[0][0] else ""
            yield f"{above}\n{name}"


def cells(row: Row) -> list[Text]:
    """Return how many states of each crash came to each outcome."""
    if row.trouble:
        return [Text("–", style="yellow") for _ in Crash for _ in COLUMNS]
    found = []
    for crash in Crash:
        for name, outcomes in COLUMNS:
            count = row.count(crash, *outcomes)
            style = _COLOURS.get(name, "magenta") if count else ""
            found.append(Text(f"{count:,}", style=style))
    return found


def _story(row: Row) -> Iterable[Padding]:
    worst = row.worst
    if worst is None:
        return
    yield Padding(Text(f"{row.saver.name}: {row.saver.summary}"), 0)
    yield Padding(Text(f"{worst.outcome.value} {worst.description}"), (0, 0, 0, 2))
    yield Padding(Text(worst.reason), (0, 0, 1, 4))
