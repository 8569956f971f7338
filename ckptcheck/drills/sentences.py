"""What every output says of a drill, in the same words."""

from collections.abc import Sequence

from ckptcheck.counts import counted, filled
from ckptcheck.drills.cases import case_of
from ckptcheck.drills.drilled import (
    BEGAN_ANEW,
    LOST_WORK,
    Cut,
    DrillReport,
    Row,
    lost_by,
    total,
)
from ckptcheck.outcomes import DIVERGED, INCONCLUSIVE, RECOVERED, REFUSED
from ckptcheck.report.sentences import listed, story
from ckptcheck.report.told import Told

HEADS = ("killed", "on disk after the kill", "outcome", "went on from", "steps made twice")
# What each outcome means, for those that are not in the words of `ckptcheck verify`.
MEANINGS = {
    RECOVERED: "it went on with the step at which it was killed",
    LOST_WORK: "it went on exactly, and made some steps twice: all since the last finished save",
    DIVERGED: "it went on, but not as the control did",
    REFUSED: "it cannot start again",
    BEGAN_ANEW: "it began from scratch and said nothing, although something had been saved",
    INCONCLUSIVE: "unknown, for the reason given below",
}
_MOST_NAMED = 3
_NEVER_RESUMED = " It never resumed. If it needs an argument for that, pass it with --resume."


def cells(row: Row) -> tuple[str, ...]:
    """Return the cells of a row, see `HEADS`."""
    went_on = "–" if row.went_on_at is None else f"step {row.went_on_at}"
    twice = "–" if row.twice is None else f"{row.twice:,}"
    if row.twice and row.seconds:
        twice += f" ({row.seconds:.1f} s)"
    alike = f" (and {row.alike - 1:,} alike)" if row.alike > 1 else ""
    noticed = f"; {row.noticed.text}" if row.noticed else ""
    return row.point, row.on_disk + alike + noticed, outcome(row), went_on, twice


def outcome(row: Row) -> str:
    """Return the outcome of a row, marked if it fails."""
    is_wrong = not row.is_good and row.outcome != INCONCLUSIVE
    return f"{row.outcome}{' ✗' if is_wrong else ''}"


def told(report: DrillReport) -> Told:
    """Return what Markdown, a page and a notebook say first."""
    rows = tuple(map(cells, report.rows))
    return Told(heading(report), verdict_line(report), HEADS, rows, report.left_out)


def heading(report: DrillReport) -> str:
    """Say what was drilled."""
    timeline = report.timeline
    assert timeline is not None
    name = report.cases[0].job if report.cases else "The command"
    *most, last = timeline.saves
    shown = [*(str(each) for each in most[:_MOST_NAMED]), *(["…"] if most[_MOST_NAMED:] else [])]
    saves = ", ".join([*shown, str(last)])
    return filled(
        "{name} makes {steps}, and saves after {count:step|steps} {saves}. Each row is a run that "
        "was killed{faults} and started again.",
        name=name,
        steps=counted(timeline.steps, "step"),
        count=len(timeline.saves),
        saves=saves,
        faults=" or met a fault" if any(row.cut is Cut.FAULT for row in report.rows) else "",
    )


def verdict_line(report: DrillReport) -> str:
    """Return the verdict and its counts in one line."""
    rows = report.rows
    wrong = [row for row in rows if not row.is_good and row.outcome != INCONCLUSIVE]
    unknown = [row for row in rows if row.outcome == INCONCLUSIVE]
    of_all = total(rows)
    left = _left_out(report)
    if wrong:
        more = f" {len(unknown)} could not be judged." if unknown else ""
        never = all(row.outcome == BEGAN_ANEW for row in rows)
        hint = _NEVER_RESUMED if never else ""
        return f"FAIL: {lost_by(len(wrong), rows)}: {_did(wrong)}.{hint}{more}{left}"
    if not rows:
        return f"INCONCLUSIVE: nothing was killed.{left}"
    if unknown:
        names = listed([row.point for row in unknown[:_MOST_NAMED]])
        return f"INCONCLUSIVE: {len(unknown)} of {of_all} could not be judged: {names}.{left}"
    most = max((row.twice or 0 for row in rows), default=0)
    lost = f", with at most {counted(most, 'step')} made twice" if most else ""
    begin = "INCONCLUSIVE: so far," if report.is_interrupted else "PASS:"
    return f"{begin} it went on exactly after {len(rows)} of {of_all}{lost}.{left}"


def _left_out(report: DrillReport) -> str:
    if not report.left_out:
        return ""
    names: dict[str, list[str]] = {}
    for name, why in report.left_out.items():
        names.setdefault(why, []).append(name)
    return "".join(f" Not tried: {listed(each)}. {why}" for why, each in names.items())


def _did(rows: Sequence[Row]) -> str:
    """Say what the first rows did; those that did the same stand together."""
    said = {
        REFUSED: "{count:was|were} refused",
        LOST_WORK: "lost a finished save",
    }
    alike: dict[str, list[str]] = {}
    for row in rows[:_MOST_NAMED]:
        alike.setdefault(said.get(row.outcome, row.outcome), []).append(row.point)
    named = [filled(f"{listed(points)} {did}", count=len(points)) for did, points in alike.items()]
    further = len(rows) - _MOST_NAMED
    return listed([*named, *([f"{further} more"] if further > 0 else [])])


def stories(report: DrillReport) -> list[list[str]]:
    """Return in lines why rows are not as they should be; alike rows share their lines."""
    command = report.cases[0].job if report.cases else ""
    alike: dict[tuple[str, ...], list[Row]] = {}
    for row in report.rows:
        if not row.is_good:
            lines = story(case_of(row, command)).splitlines()[1:]
            alike.setdefault((row.outcome, *lines), []).append(row)
    return [
        [f"{listed([row.point for row in rows])}: {outcome}", *lines]
        for (outcome, *lines), rows in alike.items()
    ]
