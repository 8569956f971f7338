"""Steps: which one comes first, the learning rate and what else they are made with, and what stands still in them."""

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from ckptcheck.causes import Reach
from ckptcheck.diagnosis import Diagnosis, diagnosis
from ckptcheck.evidence import Evidence, apart, by_stage
from ckptcheck.job import Kind

# Kinds that training in another mode leaves where they are.
MOVED_BY_TRAINING = (Kind.WEIGHT, Kind.MOVING_STATISTIC, Kind.SHADOW, Kind.SLOT, Kind.RNG)


def lost(evidence: Evidence) -> Iterator[Diagnosis]:
    """Counters that count otherwise."""
    for stage, rows in by_stage(evidence.open_of(Kind.COUNTER)):
        control, resumed = _counted(rows.iloc[0], evidence)
        yield diagnosis("step-lost", list(rows["name"]), stage, control=control, resumed=resumed)


def _counted(row: Any, evidence: Evidence) -> tuple[int, int | None]:
    """Return what a counter counted in the control and in the resumed run; of one that is no number, their first steps."""
    values = row["control_norm"], row["resumed_norm"]
    if row["elements"] == 1 and all(math.isfinite(value) for value in values):
        return int(values[0]), int(values[1])
    return evidence.comparison.first_step


def first(evidence: Evidence) -> Iterator[Diagnosis]:
    """Another first step, though every counter came back."""
    control, resumed = evidence.comparison.first_step
    if control != resumed and evidence.counters_equal and not evidence.nothing_left:
        what = "no step was made" if resumed is None else _again(control, resumed)
        yield diagnosis("wrong-first-step", control=control, resumed=resumed, what=what)


def _again(control: int, resumed: int) -> str:
    count = abs(control - resumed)
    steps = "1 step is" if count == 1 else f"{count} steps are"
    return f"{steps} made again" if resumed < control else f"{steps} left out"


def learning_rate(evidence: Evidence) -> Iterator[Diagnosis]:
    """Another learning rate, where it does not follow from a counter that was lost."""
    losses = evidence.comparison.losses
    rows = losses[~losses["rate_equal"].astype(bool)]
    if rows.empty or evidence.nothing_left or _follows_counter(evidence):
        return
    row = rows.iloc[0]
    control, resumed, step = row["control_rate"], row["resumed_rate"], int(row["control_step"])
    if evidence.has("python-state-lost"):
        return  # what a callback remembers decides it
    held = list(_holding_the_rate(evidence)["name"])
    yield diagnosis("learning-rate-differs", held, control=control, resumed=resumed, step=step, beside=_beside(evidence))


def _holding_the_rate(evidence: Evidence) -> pd.DataFrame:
    """Return the settings that are the learning rate of the first step, in both runs: they are the same thing."""
    rows, first = evidence.open_of(Kind.HYPERPARAMETER), evidence.comparison.losses.iloc[0]
    is_rate = (rows["control_norm"] == first["control_rate"]) & (rows["resumed_norm"] == first["resumed_rate"])
    found: pd.DataFrame = rows[is_rate]
    return found


def _follows_counter(evidence: Evidence) -> bool:
    """Return whether the rates are the control's from another step on, and a counter or the first step is another one."""
    another = not evidence.counters_equal or evidence.comparison.first_step[0] != evidence.comparison.first_step[1]
    return another and bool(evidence.comparison.rates_from)


def hyperparameters(evidence: Evidence) -> Iterator[Diagnosis]:
    """Settings that are others, as state or in a step."""
    rows = evidence.open_of(Kind.HYPERPARAMETER).drop(_holding_the_rate(evidence).index)
    for stage, found in by_stage(rows):
        row = found.iloc[0]
        example = f"{row['name']} is {row['resumed_norm']:.9g}, the control's {row['control_norm']:.9g}"
        yield diagnosis("hyperparameters-differ", list(found["name"]), stage, count=len(found), example=example)
    step = evidence.comparison.hyperparameter
    if step is not None and rows.empty and evidence.counters_equal and not evidence.nothing_left:
        number, name, control, resumed = step
        example = f"{name} is {_shown(resumed)}, the control's {_shown(control)}, first at step {number}"
        yield diagnosis("hyperparameters-differ", count=1, example=example)


def _shown(value: float | None) -> str:
    return "not shown" if value is None else f"{value:.9g}"


def mode(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tensors that stand still after the restart and move in the control."""
    rows = evidence.of_kind(*MOVED_BY_TRAINING)
    # What was lost may stand still for that: a generator that nobody draws from, a weight that no update moves by a bit.
    rows = rows[~rows["name"].isin(evidence.explained)]
    rows = rows[~apart(rows)]
    still = rows[rows["control_moves"].astype(bool) & ~rows["resumed_moves"].astype(bool)]
    if still.empty or evidence.nothing_left:
        return
    weights = still[still["kind"] == Kind.WEIGHT.value]
    what = "layers are frozen (trainable=False)" if len(weights) else "the model is in evaluation mode (training=False)"
    yield diagnosis("mode-differs", list(still["name"]), count=len(still), total=len(rows), what=what)


def statistics_restarted(evidence: Evidence) -> Iterator[Diagnosis]:
    """Moving statistics that came back and are others at the end, though all that was trained is the same."""
    comparison = evidence.comparison
    final = comparison.at("final").set_index("name")
    weights = final[final["kind"] == Kind.WEIGHT.value]
    if not (comparison.losses["equal"].all() and comparison.losses["batch_equal"].all() and weights["equal"].all()):
        return
    statistics = evidence.of_kind(Kind.MOVING_STATISTIC)
    came_back = statistics[statistics["equal"].astype(bool) & ~statistics["name"].isin(evidence.explained)]
    parted = [name for name in came_back["name"] if name in final.index and not final.loc[name, "equal"]]
    if parted:
        yield diagnosis("statistics-restarted", parted, count=len(parted), total=len(statistics), beside=_beside(evidence))


def _beside(evidence: Evidence) -> str:
    found = [
        f"{name} is {theirs:g}, the control's {ours:g}"
        for name, (ours, theirs) in list(evidence.comparison.attributes.items())[:3]
    ]
    return f" ({'; '.join(found)})" if found else ""


def beyond(evidence: Evidence, reach: frozenset[Reach]) -> Iterator[Diagnosis]:
    """Differences that what was found, and allowed, cannot have made."""
    comparison = evidence.comparison
    for part, table, what in (
        (Reach.EVALUATION, comparison.evaluations[:1], "evaluation loss at the boundary"),
        (Reach.FIRST_LOSS, comparison.losses[:1], "training loss of the first step"),
    ):
        if part not in reach and len(table) and not table["equal"].iloc[0]:
            row = table.iloc[0]
            yield diagnosis(
                "unexplained",
                example=f"what is allowed does not reach the {what}, but it is {float(row['resumed_loss'])!r}, the control's "
                f"is {float(row['control_loss'])!r}",
            )


def unexplained(evidence: Evidence) -> Iterator[Diagnosis]:
    """Nothing was found, and still the runs part: say where."""
    comparison = evidence.comparison
    if comparison.equal or evidence.found:
        return
    hints = _hints(evidence)
    for table, column, what in (
        (comparison.evaluations, "steps_done", "evaluation loss after {} steps"),
        (comparison.losses, "control_step", "training loss of step {}"),
    ):
        rows = table[~table["equal"].astype(bool)]
        if len(rows):
            row = rows.iloc[0]
            place = what.format(int(row[column]))
            yield diagnosis(
                "unexplained",
                example=f"every tensor, batch and learning rate before it is equal, but the {place} is "
                f"{float(row['resumed_loss'])!r}, the control's is {float(row['control_loss'])!r}{hints}",
            )
            return
    names = _parted(comparison.at("final"))
    example = f"all losses are equal, but {len(names)} tensors of the final state are not{hints}"
    yield diagnosis("unexplained", names, example=example)


def _parted(rows: pd.DataFrame) -> list[str]:
    return list(rows["name"][~rows["equal"].astype(bool)])


def _hints(evidence: Evidence) -> str:
    """Say what else is another one that may, or may not, have to do with it."""
    found = [f"{name} is in another state" for name in evidence.comparison.generators]
    found += [f"{name} is {theirs:g} and not {ours:g}" for name, (ours, theirs) in evidence.comparison.attributes.items()]
    return f". Also, outside of the compared state, {'; '.join(found[:4])}" if found else ""
