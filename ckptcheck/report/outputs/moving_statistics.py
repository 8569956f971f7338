"""The moving means and variances after each restore: in a few lines, or as tables."""

import math
from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Column
from rich.text import Text

from ckptcheck.comparison.comparison import TensorComparison, moving_statistics
from ckptcheck.report.case import Case
from ckptcheck.report.outputs.console import numeric, unruled
from ckptcheck.report.sentences import listed, short_names

MOST_CHANGED = 6
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
    """Return one line on the restores with equal moving statistics, and one on each other one."""
    short, by_job = short_names(cases), _by_job(cases)
    restored = [each for of_job in by_job.values() for each in of_job]
    if not restored:
        return []
    rows = [row for _, each in restored for row in each]
    equal = "bit-equal" if all(row.identical or not row.equal for row in rows) else "equal"
    whole = [
        f"{name} {where}".rstrip() for name, where in _whole(restored, short, list(by_job)).items()
    ]
    all_equal = f" all {equal}: {', '.join(whole)}." if whole else ":"
    changed = [
        f"  {'but not ' if whole else ''}{short[case.job]} × {case.label}: {_changed(each)}."
        for case, each in restored
        if not _all_equal(each)
    ]
    if len(changed) > MOST_CHANGED:
        more = len(changed) - MOST_CHANGED
        changed = [*changed[:MOST_CHANGED], f"  and {more} more: run with --verbose."]
    lines = [Text(f"Moving means and variances{all_equal}")]
    return [*lines, *(Text(line, style="magenta") for line in changed)]


def _all_equal(rows: Sequence[TensorComparison]) -> bool:
    return all(row.equal for row in rows)


def _whole(
    restored: Sequence[_Restored], short: Mapping[str, str], jobs: Sequence[str]
) -> dict[str, str]:
    """Return the restores after which all moving statistics are equal, and in which jobs."""
    lossy = {(case.job, case.restore) for case, rows in restored if not _all_equal(rows)}
    found: dict[str, list[str]] = {}
    for case, rows in restored:
        if _all_equal(rows):
            name = case.label if (case.job, case.restore) in lossy else case.restore
            names = found.setdefault(name, [])
            names += [short[case.job]] if short[case.job] not in names else []
    if len(jobs) == 1:
        return dict.fromkeys(found, "")
    return {
        name: "in every job" if len(those) == len(jobs) else f"in {listed(those)}"
        for name, those in found.items()
    }


def _changed(rows: Sequence[TensorComparison]) -> str:
    """Say how many moving statistics differ, and which differs most."""
    differing = [row for row in rows if not row.equal]
    worst = max(differing, key=_how_far)
    count = f"{len(differing)} of {len(rows)} differ"
    if not worst.resumed_dtype:
        return f"{count}, {worst.name} is missing"
    return f"{count}, {worst.name} by {worst.max_abs_diff:.3g}"


def _how_far(row: TensorComparison) -> float:
    unknown = not row.resumed_dtype or math.isnan(row.max_abs_diff)
    return math.inf if unknown else row.max_abs_diff


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
