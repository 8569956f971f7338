"""The moving means and variances after each restore: in a few lines, or as tables."""

import math
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Column
from rich.text import Text

from ckptcheck.comparison.comparison import TensorComparison, moving_statistics
from ckptcheck.report.case import Case
from ckptcheck.report.outputs.console import numeric, unruled
from ckptcheck.report.sentences import short_names

# A case and the moving statistics after its restore.
_Restored = tuple[Case, list[TensorComparison]]


def _by_job(cases: Sequence[Case]) -> dict[str, list[_Restored]]:
    by_job: dict[str, list[_Restored]] = {}
    for case in cases:
        if case.comparison is not None and (rows := moving_statistics(case.comparison)):
            by_job.setdefault(case.job, []).append((case, rows))
    return by_job


# --- In a few lines -----------------------------------------------------------------------------


def summary(cases: Sequence[Case]) -> list[Text]:
    """Return one line for the restores with equal moving statistics, and one for each other."""
    short, by_job = short_names(cases), _by_job(cases)
    if not by_job:
        return []
    whole = [text for job, restored in by_job.items() for text in _whole(short[job], restored)]
    rows = [row for restored in by_job.values() for _, each in restored for row in each]
    equal = "bit-equal" if all(row.identical or not row.equal for row in rows) else "equal"
    lines = [Text(f"All moving means and variances are {equal}: {', '.join(whole)}.")]
    changed = [
        Text(f"{short[job]} × {case.label}: {_changed(each)}.", style="magenta")
        for job, restored in by_job.items()
        for case, each in restored
        if not _all_equal(each)
    ]
    return [*lines, *changed] if whole else changed


def _all_equal(rows: Sequence[TensorComparison]) -> bool:
    return all(row.equal for row in rows)


def _whole(job: str, restored: Sequence[_Restored]) -> Iterator[str]:
    """Name the restores of a job after which all moving statistics are equal, with their number."""
    lossy = {case.restore for case, rows in restored if not _all_equal(rows)}
    equal = [(case, rows) for case, rows in restored if _all_equal(rows)]
    names = dict.fromkeys(
        case.label if case.restore in lossy else case.restore for case, _ in equal
    )
    if names:
        yield f"{job} × {'/'.join(names)} ({len(equal[0][1])})"


def _changed(rows: Sequence[TensorComparison]) -> str:
    """Say how many moving statistics differ, and which differs most."""
    differing = [row for row in rows if not row.equal]
    worst = max(differing, key=lambda row: math.inf if _is_missing(row) else row.max_abs_diff)
    count = f"{len(differing)} of {len(rows)} differ"
    if _is_missing(worst):
        return f"{count}, {worst.name} is missing"
    values = (
        f"{worst.max_abs_diff:.3g} (norm {worst.resumed_norm:.4g}, not {worst.control_norm:.4g})"
    )
    return f"{count}; {worst.name} is off by {values}"


def _is_missing(row: TensorComparison) -> bool:
    return not row.resumed_dtype or math.isnan(row.max_abs_diff)


# --- As tables ----------------------------------------------------------------------------------


def tables(cases: Sequence[Case]) -> list[RenderableType]:
    """Return a table for each job: the norms in the control, and after each restore."""
    short = short_names(cases)
    return [
        Padding(_table(short[job], restored), (0, 0, 1, 0))
        for job, restored in _by_job(cases).items()
    ]


def _table(job: str, restored: Sequence[_Restored]) -> RenderableType:
    heads = ("control", *(case.label for case, _ in restored))
    table = unruled(Column(overflow="fold"), *map(numeric, heads))
    by_name = [{row.name: row for row in rows} for _, rows in restored]
    for name, row in by_name[0].items():
        table.add_row(name, f"{row.control_norm:.4g}", *(_cell(each.get(name)) for each in by_name))
    title = f"{job}: norms of the moving means and variances right after the restore"
    return Group(Text(title, style="bold"), table)


def _cell(row: TensorComparison | None) -> Text:
    if row is None or not row.resumed_dtype:
        return Text("missing", style="magenta")
    if row.equal:
        return Text(f"= {row.resumed_norm:.4g}")
    return Text(f"{row.resumed_norm:.4g}, off by {row.max_abs_diff:.3g}", style="magenta")
