"""The tables of a report: columns, order and types, as in the CSV files."""

import io
import math

import numpy as np
import pandas as pd
import pytest

from ckptcheck import Report
from ckptcheck.kinds import Kind
from ckptcheck.report.case import Case
from ckptcheck.report.evidence import Pair
from ckptcheck.report.judge import Question, judge_pair
from ckptcheck.report.tables import evaluations, losses, tensors
from ckptcheck.run.run import Run
from tests.builder import changed, control, cut, resumed, value

CONTROL = control()
RESUMED = resumed(CONTROL)
BARE = Case("job", "all", "recovered", "inconclusive")


def case(run: Run = RESUMED, job: str = "job", control: Run = CONTROL) -> Case:
    return judge_pair(Question(job, "all", "recovered"), Pair(control, run))


def types(table: pd.DataFrame) -> dict[str, str]:
    """Return the type of each column in order; texts have one name in all versions of pandas."""
    return {
        str(name): "text" if str(dtype) in ("object", "str") else str(dtype)
        for name, dtype in table.dtypes.items()
    }


LOSS_TYPES = {
    "job": "text",
    "restore": "text",
    "control_step": "int64",
    "resumed_step": "int64",
    "control_loss": "float64",
    "resumed_loss": "float64",
    "diff": "float64",
    "equal": "bool",
    "identical": "bool",
    "control_batch": "text",
    "resumed_batch": "text",
    "batch_equal": "bool",
    "control_rate": "float64",
    "resumed_rate": "float64",
    "rate_equal": "bool",
    "draws_equal": "bool",
    "hyperparameters_equal": "bool",
}
TENSOR_TYPES = {
    "job": "text",
    "restore": "text",
    "point": "text",
    "name": "text",
    "kind": "text",
    "control_dtype": "text",
    "resumed_dtype": "text",
    "control_shape": "text",
    "resumed_shape": "text",
    "equal": "bool",
    "identical": "bool",
    "late": "bool",
    "elements": "int64",
    "differing": "int64",
    "max_abs_diff": "float64",
    "control_norm": "float64",
    "resumed_norm": "float64",
    "control_number": "text",
    "resumed_number": "text",
    "not_finite": "int64",
    "equals": "text",
    "equals_name": "text",
    "equals_value": "float64",
    "equals_older": "float64",
    "asked": "bool",
    "held": "bool",
    "saved_so": "text",
    "as_saved": "bool",
    "poisoned": "bool",
    "control_moves": "bool",
    "resumed_moves": "bool",
    "unread": "bool",
}
EVALUATION_TYPES = {
    "job": "text",
    "restore": "text",
    "steps_done": "int64",
    "control_loss": "float64",
    "resumed_loss": "float64",
    "diff": "float64",
    "equal": "bool",
    "identical": "bool",
}
# With the values that are often unknown: a factor, an earlier save, checkpoint values.
FULL = changed(RESUMED, boundary={"w": value("w", 5) * np.float32(0.5), "mean": value("mean", 3)})


def test_columns() -> None:
    assert types(losses([case(FULL)])) == LOSS_TYPES
    assert types(tensors([case(FULL)])) == TENSOR_TYPES
    assert types(evaluations([case(FULL)])) == EVALUATION_TYPES


def test_a_row_of_a_tensor() -> None:
    table = tensors([case(FULL)])
    rows = table[table["point"] == "boundary"].set_index("name")
    assert list(rows.loc["w", ["kind", "equals", "equals_name", "asked", "held", "saved_so"]]) == [
        "weight",
        "factor",
        "",
        True,
        True,
        False,
    ]
    assert rows.loc["w", "equals_value"] == pytest.approx(0.5)
    assert list(rows.loc["mean", ["kind", "equals", "equals_older"]]) == [
        "moving statistic",
        "older",
        3.0,
    ]
    assert list(rows.loc["step", ["control_number", "resumed_number", "equals", "saved_so"]]) == [
        "5",
        "5",
        "",
        None,
    ]
    assert len(table) == 12


def test_a_row_of_a_step_and_of_an_evaluation() -> None:
    off = case(changed(RESUMED, losses={6: 0.5}, evaluations={6: 0.25}))
    assert list(losses([off]).iloc[1][["control_step", "resumed_loss", "equal"]]) == [6, 0.5, False]
    assert list(evaluations([off]).iloc[1][["steps_done", "resumed_loss", "equal"]]) == [
        6,
        0.25,
        False,
    ]


def test_unknown_values_are_empty() -> None:
    silent = changed(CONTROL, batches=dict.fromkeys(range(8)), rates=dict.fromkeys(range(8)))
    unknown = changed(resumed(silent), asked=None, held=None, values=None)
    table = losses([case(unknown, control=silent)])
    assert list(table) == list(LOSS_TYPES)
    assert (
        table[["control_batch", "resumed_batch", "control_rate", "resumed_rate"]]
        .isna()
        .all(axis=None)
    )
    of_tensors = tensors([case(unknown, control=silent)])
    assert list(of_tensors) == list(TENSOR_TYPES)
    assert (
        of_tensors[["equals_value", "equals_older", "asked", "held", "saved_so"]]
        .isna()
        .all(axis=None)
    )


def test_cases_stand_below_each_other() -> None:
    two = [case(job="first"), BARE, case(changed(RESUMED, asked=None), job="second")]
    table = tensors(two)
    assert table.index.tolist() == list(range(24))
    assert table["job"].unique().tolist() == ["first", "second"]
    assert (table["restore"] == "all").all()
    # An empty column of one case must not decide the type for the others.
    assert table.loc[0, "asked"]
    assert table.loc[12:, "asked"].isna().all()
    assert list(table) == list(TENSOR_TYPES)


def test_without_a_comparison_the_table_is_empty() -> None:
    for of in (losses, tensors, evaluations):
        for cases in ([], [BARE], [case(cut(RESUMED, 2))]):
            table = of(cases)
            assert (list(table), len(table)) == (["job", "restore"], 0)


def test_absent_tensors_have_no_form() -> None:
    boundary = {"mean": None}
    table = tensors([case(changed(RESUMED, boundary=boundary))])
    row = table[(table["name"] == "mean") & (table["point"] == "boundary")].iloc[0]
    assert list(row[["control_dtype", "resumed_dtype", "control_shape", "resumed_shape"]]) == [
        "float32",
        "",
        "(2, 3)",
        "",
    ]
    assert math.isnan(row["resumed_norm"])


def test_a_report_has_them() -> None:
    report = Report((case(FULL),), {})
    pd.testing.assert_frame_equal(report.losses(), losses(report.cases))
    pd.testing.assert_frame_equal(report.tensors(), tensors(report.cases))
    pd.testing.assert_frame_equal(report.evaluations(), evaluations(report.cases))


def test_tables_survive_a_round_trip_through_csv() -> None:
    table = losses([case(FULL)])
    written = table.to_csv(index=False)
    assert written.splitlines()[0] == ",".join(LOSS_TYPES)
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(written)), table, check_dtype=False)


def test_every_kind_by_its_word() -> None:
    also = {f"of {kind.name}": kind for kind in Kind}
    several = control(also)
    table = tensors([case(resumed(several), control=several)])
    assert set(table["kind"]) == {kind.value for kind in Kind}


def test_losses_that_were_not_seen_are_missing_values() -> None:
    unseen = [changed(each, unseen=["losses"]) for each in (CONTROL, RESUMED)]
    seen = case()
    judged = case(unseen[1], control=unseen[0])
    table = losses([judged])
    assert len(table) == 3
    for column in ("control_loss", "resumed_loss", "diff", "equal", "identical"):
        assert table[column].isna().all()
    assert list(table["control_batch"]) == list(losses([seen])["control_batch"])
    document = judged.document()["train_loss"]
    assert document == {
        "compared": 0,
        "equal": 0,
        "first_difference": None,
        "max_abs_diff": None,
    }
    both = losses([seen, judged])
    assert list(both["control_loss"].isna()) == [False] * 3 + [True] * 3
