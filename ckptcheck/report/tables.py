"""The tables of a report as pandas data frames.

Only these functions import pandas, which is slow to import.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ckptcheck.comparison.comparison import Comparison, TensorComparison
from ckptcheck.report.case import Case, with_losses

if TYPE_CHECKING:
    import pandas as pd

# The columns that a step has none of, where no loss was seen.
_OF_LOSS = ("control_loss", "resumed_loss", "diff", "equal", "identical")


def losses(cases: Sequence[Case]) -> "pd.DataFrame":
    """Return every training step after the boundary, control beside resumed.

    The losses of a command are missing values where none was seen.
    """
    return _stacked(cases, _steps)


def _steps(comparison: Comparison) -> Iterable[Mapping[str, Any]]:
    unseen = {} if with_losses(comparison) else dict.fromkeys(_OF_LOSS)
    return (asdict(step) | unseen for step in comparison.steps)


def evaluations(cases: Sequence[Case]) -> "pd.DataFrame":
    """Return every evaluation from the boundary on, control beside resumed."""
    return _stacked(cases, lambda comparison: map(asdict, comparison.evaluations))


def tensors(cases: Sequence[Case]) -> "pd.DataFrame":
    """Return every compared tensor, at boundary and end, control beside resumed."""
    return _stacked(cases, lambda comparison: map(_tensor, comparison.tensors))


def _tensor(row: TensorComparison) -> Mapping[str, Any]:
    columns: dict[str, Any] = {}
    for name, value in vars(row).items():
        if name == "origin":
            columns |= {"equals": value.what, "equals_name": value.name}
            columns |= {"equals_value": value.value, "equals_older": value.older}
        else:
            columns[name] = value.value if name == "kind" else value
    return columns


def _stacked(
    cases: Sequence[Case], rows_of: Callable[[Comparison], Iterable[Mapping[str, Any]]]
) -> "pd.DataFrame":
    import pandas as pd  # see above

    tables = []
    for case in cases:
        name = case.label if case.after else case.restore
        rows = (
            [{"job": case.job, "restore": name, **row} for row in rows_of(case.comparison)]
            if case.comparison
            else []
        )
        if rows:
            tables.append(pd.DataFrame(rows))
    if not tables:
        return pd.DataFrame(columns=["job", "restore"])
    # An empty column of one case must not decide the type for the others: pandas 2 warns of that.
    known = [rows.dropna(axis="columns", how="all") for rows in tables]
    return pd.concat(known, ignore_index=True).reindex(columns=tables[0].columns)
