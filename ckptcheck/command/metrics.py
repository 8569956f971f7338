"""Metrics that a command writes, by step: CSV, JSON lines, event files, or lines of its output.

Each file becomes a list of records: the numbers of a line, by the name of the column.
"""

import csv
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ckptcheck.command.event_files import scalars
from ckptcheck.errors import UsageError

Record = Mapping[str, float]

CSV, JSON_LINES, EVENTS, PRINTED = "csv", "json lines", "event files", "output"
STEP, VALUE = "step", "value"
# The names of a column that counts steps, the finest first.
_STEPS = ("global_step", "step", "steps", "iteration", "iterations", "iter", "batch", "epoch")
_OF_CSV, _OF_JSON_LINES = (".csv", ".tsv"), (".jsonl", ".ndjson", ".log")
_VALIDATION = re.compile(r"val|test|eval", re.IGNORECASE)

# White space at the end of a line that was there before the command was started again. It is no
# part of a number, and whoever writes the file anew writes none.
MARK = "    "


@dataclass(frozen=True)
class Metric:
    """Where a metric stands.

    Attributes:
        kind: `csv`, `json lines`, `event files` or `output`.
        path: the file, relative to the folder of the command; empty: several, or the output.
        step: the column of the steps.
        value: the column of the values, or the tag.
    """

    kind: str
    path: str
    step: str
    value: str

    @property
    def name(self) -> str:
        """The metric as the report calls it."""
        if self.kind == PRINTED:
            return "the values in the output"
        return f"{self.value} in {self.path or 'the event files'}"

    def rank(self) -> tuple[bool, bool]:
        """Return a key that sorts metrics, the best first."""
        return _rank(self.value)

    def column(self, records: Iterable[Record]) -> list[float]:
        """Return the step of each record that has the value, too, in their order."""
        return [each[self.step] for each in records if self.step in each and self.value in each]

    def rows(self, records: Iterable[Record]) -> list[tuple[int, float]]:
        """Return step and value of each record that has both, in their order."""
        return [
            (int(each[self.step]), each[self.value])
            for each in records
            if self.value in each and math.isfinite(each.get(self.step, math.nan))
        ]


def last_values(rows: Iterable[tuple[int, float]]) -> dict[int, float]:
    """Return the last value of each step, by step in rising order."""
    return dict(sorted(dict(rows).items()))


def pattern(text: str) -> re.Pattern[str]:
    """Return the pattern of a metric in the output.

    Raises:
        UsageError: it is no regular expression, or has no group.
    """
    try:
        found = re.compile(text)
    except re.error as error:
        raise UsageError(
            f"The metric {text!r} is not a regular expression: {error}. Write one such as "
            r"'step (\d+) loss (\S+)'."
        ) from None
    if not found.groups:
        raise UsageError(
            f"The metric {text!r} has no group, so it names no value. Put the step and the value "
            r"in parentheses, as in 'step (\d+) loss (\S+)'."
        )
    return found


# --- Records --------------------------------------------------------------------------------


def of_csv(text: str) -> list[Record]:
    """Return the numbers of each line of a table, by the names in its first line.

    A line of a different length is left out, such as one that is still being written.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    separator = max("\t;,", key=lines[0].count)
    names, *rows = csv.reader(lines, delimiter=separator)
    return [_numbers(zip(names, row, strict=True)) for row in rows if len(row) == len(names)]


def of_json_lines(text: str) -> list[Record]:
    """Return the numbers of each line that is a JSON object."""
    records = []
    for line in text.splitlines():
        if line.lstrip().startswith("{"):
            try:
                records.append(_numbers(json.loads(line).items()))
            except ValueError:
                continue  # still being written, or no JSON
    return records


def of_events(data: bytes, run: str = "") -> list[Record]:
    """Return the scalars of an event file, each a record; tags begin with the name of the run."""
    before = f"{run}/" if run else ""
    return [{STEP: step, f"{before}{tag}": value} for step, tag, value in scalars(data)]


def of_output(text: str, wanted: re.Pattern[str]) -> list[Record]:
    """Return the matches of a pattern in an output, each a record.

    The groups are named `step` and `value`; or else the first of two is the step, and the only one
    the value.
    """
    names = wanted.groupindex
    value = names.get(VALUE) or (2 if wanted.groups > 1 and STEP not in names else 1)
    step = names.get(STEP) or (1 if wanted.groups > 1 and VALUE not in names else None)
    if value == step:
        value = next(each for each in (*range(1, wanted.groups + 1), step) if each != step)
    found = [(match[step] if step else "", match[value]) for match in wanted.finditer(text)]
    return [_numbers([(STEP, at), (VALUE, what)]) for at, what in found]


def _numbers(fields: Iterable[tuple[str, object]]) -> Record:
    numbers = {}
    for name, value in fields:
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            try:
                numbers[str(name).strip()] = float(value)
            except (ValueError, OverflowError):
                continue
    return numbers


# --- Which metric ---------------------------------------------------------------------------


def metrics_in(kind: str, path: str, records: Sequence[Record]) -> list[Metric]:
    """Return the metrics of some records, the best first: training losses, losses, others.

    There is none where no column counts steps. A column that falls is no count.
    """
    names = list(dict.fromkeys(name for record in records for name in record))
    values = sorted((name for name in names if _rank_of_step(name) == len(_STEPS)), key=_rank)
    steps = sorted((name for name in names if name not in values), key=_rank_of_step)
    found = (Metric(kind, path, step, value) for value in values for step in steps)
    best: dict[str, Metric] = {}
    for metric in found:
        if metric.value not in best and _rises(metric.column(records)):
            best[metric.value] = metric
    return list(best.values())


def _rank_of_step(name: str) -> int:
    word = name.lower().rpartition("/")[2].replace(" ", "_")
    return _STEPS.index(word) if word in _STEPS else len(_STEPS)


def _rises(steps: Sequence[float]) -> bool:
    whole = all(math.isfinite(step) and step == int(step) and step >= 0 for step in steps)
    return bool(steps) and whole and all(one <= after for one, after in pairwise(steps))


def _rank(name: str) -> tuple[bool, bool]:
    return "loss" not in name.lower(), bool(_VALIDATION.search(name))


# --- Files ----------------------------------------------------------------------------------


def logs_in(folder: Path) -> list[tuple[str, str]]:
    """Return kind and path of each file of metrics in a folder, the strongest first."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    found = {CSV: _OF_CSV, JSON_LINES: _OF_JSON_LINES}
    named = [
        (kind, path.relative_to(folder).as_posix())
        for kind, endings in found.items()
        for path in paths
        if path.name.endswith(endings)
    ]
    return [*named, *([(EVENTS, "")] if any(map(_is_event_file, paths)) else [])]


def read_log(kind: str, path: str, folder: Path) -> list[Record]:
    """Return the records of a file of metrics, or of all event files; none: there is no file."""
    if kind == EVENTS:
        return [
            record
            for file in event_files(folder)
            for record in of_events(file.read_bytes(), _run_of(file, folder))
        ]
    return of_text(kind, _text(folder / path))


def of_text(kind: str, text: str) -> list[Record]:
    """Return the records of a table or of JSON lines."""
    return of_csv(text) if kind == CSV else of_json_lines(text)


def event_files(folder: Path) -> list[Path]:
    """Return the event files in a folder, in the order of their names, which hold their time."""
    files = (path for path in folder.rglob("*") if path.is_file() and _is_event_file(path))
    return sorted(files, key=lambda path: path.name)


def _is_event_file(path: Path) -> bool:
    return "tfevents" in path.name


def _run_of(file: Path, folder: Path) -> str:
    """Return the folder of an event file, by which TensorBoard tells training from validation."""
    name = file.parent.relative_to(folder).as_posix()
    return "" if name == "." else name


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""


# --- What a restarted command wrote itself --------------------------------------------------


def mark(metric: Metric, folder: Path) -> int:
    """Mark the lines that a log holds before the command is started again; return how many.

    A command that writes the log anew, with the same lines, cannot be told otherwise from one that
    appends to it.
    """
    file = folder / metric.path
    if metric.kind not in (CSV, JSON_LINES) or not file.is_file():
        return 0
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as opened:
        lines = opened.readlines()
    marked = [_marked(line, metric.kind, is_first=not at) for at, line in enumerate(lines)]
    with file.open("w", encoding="utf-8", errors="surrogateescape", newline="") as opened:
        opened.writelines(marked)
    return sum(line != before for line, before in zip(marked, lines, strict=True))


def _marked(line: str, kind: str, *, is_first: bool) -> str:
    content = line.rstrip("\r\n")
    ending = line[len(content) :]
    last = content[-1:]
    is_value = last == "}" if kind == JSON_LINES else last.isdigit() and not is_first
    return f"{content}{MARK}{ending}" if is_value else line


def unmarked(metric: Metric, folder: Path) -> tuple[str, int]:
    """Return the lines of a log without a mark, and how many have one."""
    lines = _text(folder / metric.path).splitlines()
    own = [line for line in lines if not line.endswith(MARK)]
    return "\n".join(own), len(lines) - len(own)


def new_events(folder: Path, before: Path) -> list[Record]:
    """Return the records of event files that are not in the folder before, or of their new part.

    Every event has its time, so that no file is written anew with the same content.
    """
    records: list[Record] = []
    for file in event_files(folder):
        there = before / file.relative_to(folder)
        data, old = file.read_bytes(), there.read_bytes() if there.is_file() else b""
        new = data[len(old) :] if data.startswith(old) else data
        records += of_events(new, _run_of(file, folder))
    return records
