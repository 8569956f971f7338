"""Metrics by step, from tables, JSON lines, event files and output."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptcheck.command.metrics import (
    CSV,
    EVENTS,
    JSON_LINES,
    MARK,
    PRINTED,
    Metric,
    Record,
    last_values,
    logs_in,
    mark,
    metrics_in,
    new_events,
    of_csv,
    of_json_lines,
    of_output,
    pattern,
    read_log,
    unmarked,
)
from ckptcheck.errors import UsageError
from tests.command.events import losses

LOG = Metric(CSV, "log.csv", "step", "loss")


@pytest.mark.parametrize(
    ("text", "records"),
    [
        ("step,loss\n0,0.5\n1,0.25\n", [{"step": 0, "loss": 0.5}, {"step": 1, "loss": 0.25}]),
        ("step;loss\r\n0;0.5\r\n", [{"step": 0, "loss": 0.5}]),
        ("step\tloss\n0\t1e-3\n", [{"step": 0, "loss": 1e-3}]),
        # A line without a value, a second header, and a line that is still being written.
        ("step,loss\n0,\nstep,loss\n1,0.5\n2", [{"step": 0}, {}, {"step": 1, "loss": 0.5}]),
        ('step, loss ,name\n0, 0.5    ,"a,b"\n', [{"step": 0, "loss": 0.5}]),
        ("", []),
        ("\n\n", []),
    ],
)
def test_tables(text: str, records: list[Record]) -> None:
    assert of_csv(text) == records


@pytest.mark.parametrize(
    ("text", "records"),
    [
        ('{"step": 1, "loss": 0.5}    \n{"step": 2, "lo', [{"step": 1, "loss": 0.5}]),
        ('begin\n{"step": "3", "ok": true, "x": [1]}\n', [{"step": 3}]),
        ('{"loss": NaN}', None),
        ("[1]\n5\n", []),
    ],
)
def test_json_lines(text: str, records: list[Record] | None) -> None:
    found = of_json_lines(text)
    assert found == records if records is not None else str(found) == "[{'loss': nan}]"


@pytest.mark.parametrize(
    ("wanted", "records"),
    [
        (r"step (\d+) loss (\S+)", [{"step": 3, "value": 0.5}]),
        (r"loss (?P<value>\S+)", [{"value": 0.5}]),
        (r"loss (\S+)", [{"value": 0.5}]),
        (r"(?P<step>\d+) loss (?P<value>\S+)", [{"step": 3, "value": 0.5}]),
        (r"(?P<step>\d+) loss (\S+)", [{"step": 3, "value": 0.5}]),
        (r"(\d+) loss (?P<value>\S+)", [{"value": 0.5}]),
        (r"(st)ep", [{}]),
        (r"nothing (\d)", []),
    ],
)
def test_output(wanted: str, records: list[Record]) -> None:
    assert of_output("begin\nstep 3 loss 0.5\n", pattern(wanted)) == records


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "loss",
            r"The metric 'loss' has no group, so it names no value. Put the step and the value in parentheses, as in 'step (\d+) loss (\S+)'.",
        ),
        (
            "(",
            r"The metric '(' is not a regular expression: missing ), unterminated subpattern at position 0. Write one such as 'step (\d+) loss (\S+)'.",
        ),
    ],
)
def test_a_pattern_that_says_nothing(text: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        pattern(text)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("names", "step", "value"),
    [
        ("step,accuracy,val_loss,loss", "step", "loss"),
        ("epoch,val_loss,accuracy", "epoch", "val_loss"),
        ("epoch,global_step,train_loss", "global_step", "train_loss"),
        ("Iteration,accuracy", "Iteration", "accuracy"),
        ("accuracy,loss", None, None),
        ("step", None, None),
    ],
)
def test_which_column_is_the_metric(names: str, step: str | None, value: str | None) -> None:
    columns = names.split(",")
    records = [dict.fromkeys(columns, 1.0), dict.fromkeys(columns, 2.0)]
    best = next(iter(metrics_in(CSV, "a", records)), None)
    assert (best and best.step, best and best.value) == (step, value)


def test_a_column_that_begins_again_in_every_epoch_counts_no_steps() -> None:
    lines = [(0, 0), (0, 1), (1, 0), (1, 1)]
    records: list[Record] = [{"epoch": e, "step": s, "loss": 1.0} for e, s in lines]
    assert [each.step for each in metrics_in(CSV, "a", records)] == ["epoch"]


def test_the_last_value_of_a_step_counts() -> None:
    assert list(last_values([(2, 1.0), (1, 0.5), (2, 0.25)]).items()) == [(1, 0.5), (2, 0.25)]


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_step_that_is_no_number_is_none(value: str) -> None:
    assert LOG.rows(of_csv(f"step,loss\n{value},1\n2,0.5\n")) == [(2, 0.5)]


def test_logs_are_found_by_strength(tmp_path: Path) -> None:
    for name in ("b.jsonl", "train/events.out.tfevents.1", "a/x.csv", "ckpt.npz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(losses({4: 0.5}))
    assert logs_in(tmp_path) == [(CSV, "a/x.csv"), (JSON_LINES, "b.jsonl"), (EVENTS, "")]
    assert read_log(EVENTS, "", tmp_path) == [{"step": 4, "train/loss": 0.5}]
    assert read_log(CSV, "absent.csv", tmp_path) == []


# --- What a restarted command wrote itself --------------------------------------------------

HEADER, FIRST, SECOND = "step,loss\n", "0,0.5\n1,0.25\n", "2,0.125\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_that_were_there_are_marked(tmp_path: Path, newline: str) -> None:
    log = tmp_path / "log.csv"
    log.write_bytes((HEADER + FIRST).replace("\n", newline).encode())
    assert mark(LOG, tmp_path) == 2
    marked = f"step,loss\n0,0.5{MARK}\n1,0.25{MARK}\n".replace("\n", newline)
    assert log.read_bytes() == marked.encode()
    assert LOG.rows(read_log(CSV, "log.csv", tmp_path)) == [(0, 0.5), (1, 0.25)]
    with log.open("ab") as file:
        file.write(SECOND.encode())
    assert unmarked(LOG, tmp_path) == ("step,loss\n2,0.125", 2)


def test_a_log_that_is_written_anew_has_no_mark(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(HEADER + FIRST)
    mark(LOG, tmp_path)
    (tmp_path / "log.csv").write_text(HEADER + FIRST + SECOND)
    assert unmarked(LOG, tmp_path) == ((HEADER + FIRST + SECOND).strip(), 0)


@pytest.mark.parametrize(
    ("kind", "text", "marked"),
    [
        (CSV, "step,loss\n0,\n1,x\n", 0),
        (CSV, "step,loss\n0,0.5", 1),
        (CSV, "", 0),
        (JSON_LINES, '{"step": 0}\nbegin\n{"step": 1}\n', 2),
        (EVENTS, "0,1\n0,1\n", 0),
        (PRINTED, "0,1\n0,1\n", 0),
    ],
)
def test_what_is_marked(tmp_path: Path, kind: str, text: str, marked: int) -> None:
    (tmp_path / "log").write_text(text)
    assert mark(Metric(kind, "log", "step", "loss"), tmp_path) == marked


def test_a_log_that_is_not_there_is_not_marked(tmp_path: Path) -> None:
    assert mark(LOG, tmp_path) == 0
    assert unmarked(LOG, tmp_path) == ("", 0)


@given(st.lists(st.tuples(st.integers(0, 99), st.floats(allow_nan=False)), max_size=5))
def test_a_mark_changes_no_value(rows: list[tuple[int, float]]) -> None:
    lines = [f"{step},{value!r}" for step, value in rows]
    plain, marked = "step,loss\n" + "\n".join(lines), f"{MARK}\n".join(["step,loss", *lines, ""])
    assert of_csv(plain) == of_csv(marked.replace(f"step,loss{MARK}", "step,loss"))


def test_new_event_files_and_new_parts_of_old_ones_are_a_runs_own(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    for folder in (before, after):
        folder.mkdir()
        (folder / "a.tfevents.1").write_bytes(losses({0: 0.5}))
    assert new_events(after, before) == []
    with (after / "a.tfevents.1").open("ab") as file:
        file.write(losses({1: 0.25}))
    (after / "b.tfevents.2").write_bytes(losses({2: 0.125}))
    assert new_events(after, before) == [{"step": 1, "loss": 0.25}, {"step": 2, "loss": 0.125}]
