"""Records of runs that nothing was seen of, made from what they left, in the format of any run.

The steps are those of a metric, as it counts them. The checkpoint of save N has the step N - 1 and
all before it. Where it is known only that a save lies between two steps of the metric, the resumed
run may repeat the steps between them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ckptcheck.command.folder_watch import Logged, Save
from ckptcheck.command.leavings import Leavings, count_in, counted_by
from ckptcheck.command.metrics import (
    CSV,
    EVENTS,
    JSON_LINES,
    PRINTED,
    STEP,
    VALUE,
    Metric,
    Record,
    event_files,
    last_values,
    logs_in,
    metrics_in,
    new_events,
    of_events,
    of_output,
    of_text,
    read_log,
    unmarked,
)
from ckptcheck.job.protocol import Step
from ckptcheck.job.schedule import Schedule
from ckptcheck.run import environment
from ckptcheck.run.folder import Recorder
from ckptcheck.run.run import Facts
from ckptcheck.run.snapshots import FINAL, INITIAL, Snapshot, boundary_point

# What is never seen of such a run, and what may be.
_UNSEEN = ("batches", "learning rates", "live state")
LOSSES, START = "losses", "start"


@dataclass(frozen=True)
class Ran:
    """A run that has ended.

    Attributes:
        folder: the folder of its record.
        files: what it left in the folder that it writes into.
        output: the file with its output.
        facts: what is known of it.
    """

    folder: Path
    files: Path
    output: Path
    facts: Facts


@dataclass(frozen=True)
class Boundary:
    """A save that a run is resumed from.

    Attributes:
        image: the copy of the folder.
        number: the first step that is surely after the checkpoint.
        earliest: the first step that may be after it.
        is_counted: whether the checkpoint itself has the number.
    """

    image: str
    number: int
    earliest: int
    is_counted: bool = False


@dataclass(frozen=True)
class Left:
    """How the control is compared with others: by which metric, and from which steps on.

    Attributes:
        metric: the metric; None: there is none that shows where a run begins.
        steps: the steps of the metric in the control, rising.
        boundaries: the saves.
        by_series: whether tensors are named by series of checkpoints, too.
        files: the series of checkpoints.
        is_numbered: whether the metric has the numbers of its steps; else they are counted.
    """

    metric: Metric | None
    steps: tuple[int, ...]
    boundaries: tuple[Boundary, ...]
    by_series: bool
    files: tuple[str, ...]
    is_numbered: bool = True

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Left":
        """Return what `asdict` made of one."""
        metric = None if document["metric"] is None else Metric(**document["metric"])
        boundaries = tuple(Boundary(**each) for each in document["boundaries"])
        lists = {name: tuple(document[name]) for name in ("steps", "files")}
        given = {**document, **lists, "metric": metric, "boundaries": boundaries}
        return cls(**given)

    @property
    def what(self) -> str:
        """Everything that is compared, as the report calls it."""
        steps = f"{self.metric.name} by step, and " if self.metric else ""
        return f"{steps}the tensors of {' and '.join(self.files)} at the end"


# --- The control ----------------------------------------------------------------------------


def left_by(
    ran: Ran, saves: Sequence[tuple[Save, Path]], wanted: re.Pattern[str] | None
) -> Left | str:
    """Return how a control can be compared, or why it cannot.

    Args:
        ran: the control.
        saves: the saves that are kept, each with the copy of the folder.
        wanted: the pattern of the metric in the output; None: the files decide.
    """
    images = [Leavings(image) for _, image in saves]
    end = Leavings(ran.files)
    files = tuple(end.newest)
    if not end.newest or not all(image.newest for image in images):
        return "What it saved is of no format that ckptcheck reads."
    for metric, is_numbered in _candidates(ran, wanted):
        records = _records(metric, ran.files, ran.output, wanted)
        steps = tuple(last_values(_rows(metric, records, is_numbered=is_numbered)))
        boundaries = tuple(
            _boundary(metric, save, image, ran.output, wanted, steps, end.counters)
            for (save, _), image in zip(saves, images, strict=True)
        )
        if all(steps[0] < each.number <= steps[-1] for each in boundaries):
            return Left(metric, steps, boundaries, len(files) > 1, files, is_numbered)
    if wanted is not None and not of_output(_text(ran.output), wanted):
        return f"The pattern of --metric matches nothing in the output: {wanted.pattern}"
    numbers = [counted_by(image.counters, end.counters) for image in images]
    unknown = [
        Boundary(str(image), number or save.number, number or save.number)
        for (save, image), number in zip(saves, numbers, strict=True)
    ]
    return Left(None, (), tuple(unknown), len(files) > 1, files)


def _candidates(ran: Ran, wanted: re.Pattern[str] | None) -> Iterator[tuple[Metric, bool]]:
    """Yield the metrics of a control, the best first, each with whether it numbers its steps."""
    if wanted is not None:
        records = of_output(_text(ran.output), wanted)
        if records:
            yield Metric(PRINTED, "", STEP, VALUE), any(STEP in each for each in records)
        return
    for kind in (CSV, JSON_LINES, EVENTS):
        logs = [
            (path, read_log(kind, path, ran.files)) for of, path in logs_in(ran.files) if of == kind
        ]
        of_kind = [each for path, records in logs for each in metrics_in(kind, path, records)]
        yield from ((each, True) for each in sorted(of_kind, key=Metric.rank))


def _records(
    metric: Metric, files: Path, output: Path, wanted: re.Pattern[str] | None
) -> list[Record]:
    if metric.kind == PRINTED:
        assert wanted is not None
        return of_output(_text(output), wanted)
    return read_log(metric.kind, metric.path, files)


def _rows(
    metric: Metric, records: Sequence[Record], *, is_numbered: bool, first: int = 0
) -> list[tuple[int, float]]:
    if is_numbered:
        return metric.rows(records)
    values = [each[metric.value] for each in records if metric.value in each]
    return list(enumerate(values, first))


def _boundary(
    metric: Metric,
    save: Save,
    image: Leavings,
    output: Path,
    wanted: re.Pattern[str] | None,
    steps: Sequence[int],
    at_end: Mapping[str, int],
) -> Boundary:
    """Return the first step after a save: as its counter says, else as the metric shows."""
    name = str(image.folder)
    counted = count_in(image.counters, at_end, steps)
    if counted is not None:
        return Boundary(name, counted, counted, is_counted=True)
    after = [
        _first_after(metric, _logged(metric, logged, image.folder, output, wanted), steps)
        for logged in (save.before, save.at)
    ]
    # A run that repeats even the first step of all begins anew.
    return Boundary(name, after[1], max(after[0], steps[0] + 1))


def _first_after(metric: Metric, records: Sequence[Record], steps: Sequence[int]) -> int:
    known = metric.column(records) or range(sum(metric.value in each for each in records))
    return int(max(known)) + 1 if known else steps[0]


def _logged(
    metric: Metric, logged: Logged, image: Path, output: Path, wanted: re.Pattern[str] | None
) -> list[Record]:
    """Return the records that were written at a moment."""
    if metric.kind == PRINTED:
        assert wanted is not None
        return of_output(output.read_bytes()[: logged.output].decode("utf-8", "replace"), wanted)
    if metric.kind == EVENTS:
        parts = [(file, logged.sizes.get(_path(file, image), 0)) for file in event_files(image)]
        return [record for file, size in parts for record in _events(file, size, image)]
    file = image / metric.path
    data = file.read_bytes() if file.is_file() else b""
    text = data[: logged.sizes.get(metric.path, 0)].decode("utf-8", "replace")
    return of_text(metric.kind, text)


def _events(file: Path, size: int, folder: Path) -> list[Record]:
    run = file.parent.relative_to(folder).as_posix()
    return of_events(file.read_bytes()[:size], "" if run == "." else run)


def _path(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()


def record_control(
    ran: Ran, left: Left, wanted: re.Pattern[str] | None, boundaries: Mapping[int, Snapshot]
) -> int:
    """Write the record of a control, or of a repetition; return the number of its steps.

    Args:
        ran: the run.
        left: how it is compared.
        wanted: the pattern of the metric in the output.
        boundaries: the tensors in the checkpoint of each save, by its number.
    """
    values: dict[int, float] = {}
    if left.metric is not None:
        records = _records(left.metric, ran.files, ran.output, wanted)
        values = last_values(_rows(left.metric, records, is_numbered=left.is_numbered))
    total = max([*values, *boundaries]) + 1
    _write(ran, left, values, boundaries, () if left.metric else (LOSSES, START), total)
    return total


def saved_in(left: Left, end: Snapshot) -> dict[int, Snapshot]:
    """Return the tensors in the checkpoint of each save that the end of the run has, too."""
    return {
        each.number: {
            name: tensor
            for name, tensor in tensors_in(Path(each.image), left).items()
            if name in end
        }
        for each in left.boundaries
    }


def tensors_in(folder: Path, left: Left) -> Snapshot:
    """Return the tensors of the newest checkpoints in a folder."""
    return Leavings(folder).tensors(by_series=left.by_series)


# --- The resumed run ------------------------------------------------------------------------


def record_resumed(
    ran: Ran,
    left: Left,
    wanted: re.Pattern[str] | None,
    boundary: Boundary,
    saved: Snapshot,
) -> bool:
    """Write the record of a run that was resumed; return whether its metric has any step."""
    values, first, is_certain = _own(ran, left, wanted, boundary)
    if left.metric is not None and first is None:
        return False
    unseen = [START] if not is_certain else []
    if left.metric is None:
        unseen = [LOSSES, START]
    ran.facts.first_step = boundary.number if first is None else first
    _write(ran, left, values, {boundary.number: saved}, unseen, None)
    return True


def _own(
    ran: Ran, left: Left, wanted: re.Pattern[str] | None, boundary: Boundary
) -> tuple[dict[int, float], int | None, bool]:
    """Return what the metric shows of a resumed run's own steps.

    Returns:
        The values by step, the first step, None if there is none, and whether that is certain.
    """
    if left.metric is None:
        return {}, None, False
    records, is_own = _own_records(left.metric, ran, wanted, Path(boundary.image))
    total = 0 if left.is_numbered else sum(left.metric.value in each for each in records)
    start = max(0, len(left.steps) - total)
    rows = _rows(left.metric, records, is_numbered=left.is_numbered, first=start)
    values = last_values(rows)
    if not values:
        return {}, None, True
    if min(values) < boundary.earliest and is_own:
        return values, min(values), True  # it begins earlier, or anew
    # A log every few steps may count them from the start of the process.
    common = [step for step in left.steps if step >= boundary.number and step in values]
    later = {step: values[step] for step in common}
    due = min((step for step in left.steps if step >= boundary.number), default=None)
    # A log that lags behind the checkpoint shows no more than that some steps are not compared.
    skips = boundary.is_counted and bool(later) and min(later) != due
    begins = min(later) if skips else boundary.number
    is_certain = is_own or min(values) >= boundary.earliest
    return later, begins, is_certain and (left.is_numbered or len(set(values.values())) > 1)


def _own_records(
    metric: Metric, ran: Ran, wanted: re.Pattern[str] | None, image: Path
) -> tuple[list[Record], bool]:
    """Return the records that a resumed run wrote itself, and whether these are surely its own."""
    if metric.kind == PRINTED:
        return _records(metric, ran.files, ran.output, wanted), True
    if metric.kind == EVENTS:
        return new_events(ran.files, image), True
    text, marked = unmarked(metric, ran.files)
    return of_text(metric.kind, text), marked > 0


# --- Both -----------------------------------------------------------------------------------


def _write(
    ran: Ran,
    left: Left,
    values: Mapping[int, float],
    boundaries: Mapping[int, Snapshot],
    unseen: Iterable[str],
    total: int | None,
) -> None:
    facts = ran.facts
    if total is not None:
        first, *_ = sorted(boundaries)
        facts.schedule = Schedule(max(2, total), first, max(2, total), tuple(boundaries))
    facts.unseen = sorted({*_UNSEEN, *unseen})
    facts.left = left.what
    facts.saved = sorted(boundaries)
    facts.environment = environment.fingerprint()
    facts.finished = True
    recorder = Recorder(ran.folder, facts)
    for step, value in values.items():
        recorder.step(step, Step(value, None))
    recorder.snapshot(INITIAL, {})
    for number, tensors in boundaries.items():
        recorder.snapshot(boundary_point(number), tensors)
    recorder.snapshot(FINAL, tensors_in(ran.files, left))
    recorder.close()


def document(left: Left, total: int, saves: int) -> dict[str, Any]:
    """Return what an observer would have noted of the control."""
    numbers = [each.number for each in left.boundaries]
    return {
        "steps": total,
        "steps_per_epoch": None,
        "counters": {},
        "saves": [],
        "restores": [],
        "kept": numbers,
        "groups": {"known": 0, "unknown": saves},
        "stopped": False,
        "left": asdict(left),
    }


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
