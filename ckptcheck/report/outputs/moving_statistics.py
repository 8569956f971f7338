"""The moving means and variances after each restore: in a few lines, or as tables."""

import math
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Column
from rich.text import Text

from ckptcheck.comparison.comparison import TensorComparison, moving_statistics
from ckptcheck.report.case import Case, as_it_differs
from ckptcheck.report.outputs.console import numeric, unruled
from ckptcheck.report.sentences import listed, short_names

MOST_CHANGED = 6
# The most restores side by side.
MOST_COLUMNS = 2
# A case and the moving statistics after its restore.
Restored = tuple[Case, list[TensorComparison]]


def by_job(cases: Sequence[Case]) -> dict[str, list[Restored]]:
    """Return the compared cases of each job, with their moving statistics, where it has any."""
    found: dict[str, list[Restored]] = {}
    for case in cases:
        if case.comparison is None:
            continue
        if rows := moving_statistics(as_it_differs(case.comparison)):
            found.setdefault(case.job, []).append((case, rows))
    return found


# --- In a few lines -----------------------------------------------------------------------------


def summary(cases: Sequence[Case]) -> list[Text]:
    """Return one line on the restores with equal moving statistics, and one on each other one."""
    restored = [each for of_job in by_job(cases).values() for each in of_job]
    if not restored:
        return []
    short = short_names(cases)
    whole = _whole(restored, short, every=len(restored) == len(cases))
    several = len(short) > 1
    but = "but not " if several and whole else ""
    changed = [
        f"{but}{short[case.job]} × {case.label}: {_changed(rows)}."
        for case, rows in restored
        if not _all_equal(rows)
    ]
    if len(changed) > MOST_CHANGED:
        more = len(changed) - MOST_CHANGED
        changed = [*changed[:MOST_CHANGED], f"and {more} more: run with --verbose."]
    all_of_them = f" all {whole}." if several else f": {whole}."
    first = Text(f"Moving means and variances{all_of_them if whole else ':'}")
    return [first, *(Text(line, style="magenta") for line in changed)]


def _all_equal(rows: Sequence[TensorComparison]) -> bool:
    return all(row.equal for row in rows)


def _whole(restored: Sequence[Restored], short: Mapping[str, str], *, every: bool) -> str:
    """Say after which restores all moving statistics are equal; empty if after none."""
    rows = [row for _, each in restored for row in each]
    equal = "bit-equal" if all(row.identical or not row.equal for row in rows) else "equal"
    lossy = {(case.job, case.restore) for case, each in restored if not _all_equal(each)}
    if every and not lossy and len(restored) > 1:
        return f"{equal} with every restore"
    jobs: dict[str, dict[str, None]] = {}
    for case, each in restored:
        if _all_equal(each):
            name = case.label if (case.job, case.restore) in lossy else case.restore
            jobs.setdefault(name, {})[short[case.job]] = None
    total = len({case.job for case, _ in restored})
    if jobs and total == 1:
        return f"{equal} with {listed([f'`{name}`' for name in jobs])}"
    by_place: dict[str, list[str]] = {}
    for name, those in jobs.items():
        where = "in every job" if len(those) == total else f"in {listed(list(those))}"
        by_place.setdefault(where, []).append(name)
    places = "; ".join(f"{', '.join(names)} {where}" for where, names in by_place.items())
    return f"{equal}: {places}" if places else ""


def _changed(rows: Sequence[TensorComparison]) -> str:
    """Say how many moving statistics differ, and which differs most."""
    differing = [row for row in rows if not row.equal]
    worst = max(differing, key=_how_far)
    differ = "differs:" if len(differing) == 1 else "differ,"
    count = f"{len(differing)} of {len(rows)} {differ}"
    if not worst.resumed_dtype:
        return f"{count} {worst.name} is missing"
    return f"{count} {worst.name} by {worst.max_abs_diff:.3g}"


def _how_far(row: TensorComparison) -> float:
    unknown = not row.resumed_dtype or math.isnan(row.max_abs_diff)
    return math.inf if unknown else row.max_abs_diff


# --- As tables ----------------------------------------------------------------------------------


def tables(cases: Sequence[Case]) -> list[RenderableType]:
    """Return for each job the norms in the control and after each restore."""
    short = short_names(cases)
    return [
        Padding(_tables(short[job], restored), (0, 0, 1, 0))
        for job, restored in by_job(cases).items()
    ]


def _tables(job: str, restored: Sequence[Restored]) -> RenderableType:
    """Return the tables of a job; many restores after which all is equal are only named."""
    title = Text(f"{job}: norms of the moving means and variances after the restore", style="bold")
    equal = [case.label for case, rows in restored if _all_equal(rows)]
    if len(restored) <= MOST_COLUMNS or not equal:
        return Group(title, *_in_columns(restored))
    total = len(restored[0][1])
    named = Text(f"{total} of {total} equal: {', '.join(equal)}.")
    return Group(title, named, *_in_columns([each for each in restored if not _all_equal(each[1])]))


def _in_columns(restored: Sequence[Restored]) -> Iterator[RenderableType]:
    for start in range(0, len(restored), MOST_COLUMNS):
        yield _table(restored[start : start + MOST_COLUMNS])


def _table(restored: Sequence[Restored]) -> RenderableType:
    heads = ("control", *(case.label for case, _ in restored))
    table = unruled(Column(overflow="fold"), *map(numeric, heads))
    by_name = [{row.name: row for row in rows} for _, rows in restored]
    for name, row in by_name[0].items():
        table.add_row(name, f"{row.control_norm:.4g}", *(_cell(each.get(name)) for each in by_name))
    return table


def _cell(row: TensorComparison | None) -> Text:
    if row is None or not row.resumed_dtype:
        return Text("missing", style="magenta")
    return Text(norm(row), style="" if row.equal else "magenta")


def norm(row: TensorComparison) -> str:
    """Return the norm after the restore, and how it compares with the control's."""
    if row.equal:
        return f"= {row.resumed_norm:.4g}"
    return f"{row.resumed_norm:.4g}, off by {row.max_abs_diff:.3g}"
