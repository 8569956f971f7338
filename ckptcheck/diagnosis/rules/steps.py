"""Steps: which one comes first, the learning rate and what else they are made with, and what stands still in them."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from ckptcheck.diagnosis.catalogue import Reach
from ckptcheck.diagnosis.cause import Diagnosis, diagnosis
from ckptcheck.diagnosis.findings import Evidence, apart, as_number, by_stage, counted_off, values
from ckptcheck.kinds import Kind

# Kinds that training in another mode leaves where they are.
MOVED_BY_TRAINING = (Kind.WEIGHT, Kind.MOVING_STATISTIC, Kind.SHADOW, Kind.SLOT, Kind.RNG)


def lost(evidence: Evidence) -> Iterator[Diagnosis]:
    """Counters that count otherwise."""
    for stage, rows in by_stage(evidence.open_of(Kind.COUNTER)):
        control, resumed = _counted(rows.iloc[0], evidence)
        yield diagnosis("step-lost", list(rows["name"]), stage, control=control, resumed=resumed)


def _counted(row: Any, evidence: Evidence) -> tuple[int | str, int | str | None]:
    """Return what a counter counted in the control and in the resumed run; of one that is no number, their first steps."""
    if row["control_number"] and row["resumed_number"]:
        return row["control_number"], row["resumed_number"]
    return evidence.comparison.first_step


def first(evidence: Evidence) -> Iterator[Diagnosis]:
    """Another first step, where it is not that of a counter that was lost."""
    control, resumed = evidence.comparison.first_step
    follows = resumed is not None and _lost_by(evidence, resumed - control)
    if control != resumed and not follows and not evidence.nothing_left:
        what = "no step was made" if resumed is None else _again(control, resumed)
        yield diagnosis("wrong-first-step", control=control, resumed=resumed, what=what)


def _lost_by(evidence: Evidence, steps: int) -> bool:
    """Return whether a counter that something found so far is about is off by so many steps; one that is no number may be."""
    counters = evidence.of_kind(Kind.COUNTER)
    found = counters[counters["name"].isin([name for each in evidence.found for name in each.tensors])]
    return any(off is None or off == steps for off in counted_off(found))


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
        return  # what a callback remembers decides it; where that is allowed, this is asked for by itself
    held = list(_holding_the_rate(evidence)["name"])
    yield diagnosis("learning-rate-differs", held, control=control, resumed=resumed, step=step, beside=_beside(evidence))


def _holding_the_rate(evidence: Evidence) -> pd.DataFrame:
    """Return the setting that is the learning rate of the first step, in both runs: it is the same thing.

    Of several with this value nobody can tell which is the rate.
    """
    rows, first = evidence.open_of(Kind.HYPERPARAMETER), evidence.comparison.losses.iloc[0]
    rates = [(side, first[f"{side}_rate"]) for side in ("control", "resumed")]
    is_rate = [
        all(rate is not None and as_number(row[f"{side}_number"]) == rate for side, rate in rates)
        for _, row in rows.iterrows()
    ]
    found: pd.DataFrame = rows[pd.Series(is_rate, index=rows.index, dtype=bool)]
    return found if len(found) == 1 else found[:0]


def _follows_counter(evidence: Evidence) -> bool:
    """Return whether the rates are the control's from another step on, and a counter, or the first step, is as far off."""
    boundary = evidence.comparison.first_step[0]
    return any(boundary + off in evidence.comparison.rates_from for off in evidence.steps_off)


def hyperparameters(evidence: Evidence) -> Iterator[Diagnosis]:
    """Settings that are others, as state or in a step."""
    rows = evidence.open_of(Kind.HYPERPARAMETER).drop(_holding_the_rate(evidence).index)
    for stage, found in by_stage(rows):
        row = found.iloc[0]
        example = values(row)
        yield diagnosis("hyperparameters-differ", list(found["name"]), stage, count=len(found), example=example)
    step = evidence.comparison.hyperparameter
    follows = not evidence.counters_equal and evidence.has("step-lost", "older-checkpoint")
    if step is not None and rows.empty and not follows and not evidence.nothing_left:
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
    # Updates that a loss scale or a count of gradients puts off, or that a rate of 0 makes nothing of, move nothing either.
    no_update = evidence.has("loss-scale-lost", "accumulators-lost") or (evidence.comparison.losses["resumed_rate"] == 0).any()
    if still.empty or evidence.nothing_left or no_update:
        return
    weights = still[still["kind"] == Kind.WEIGHT.value]
    what = (
        "layers are frozen (trainable=False), or their update is not run"
        if len(weights)
        else "the model is in evaluation mode (training=False), or their update is not run"
    )
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


# What is rounded may change the loss of a step or an evaluation by so much of it: rounding as such, and to a narrower dtype.
_ROUNDED = {"rounding": 1e-3, "precision-lost": 0.1}


def beyond(evidence: Evidence, allowed: Sequence[Diagnosis], reach: frozenset[Reach]) -> Iterator[Diagnosis]:
    """Differences that what was found, and allowed, cannot have made."""
    comparison = evidence.comparison
    most = max((_ROUNDED.get(each.cause, math.inf) for each in allowed), default=0.0)
    for part, table, what in (
        (Reach.EVALUATION, comparison.evaluations[:1], "the evaluation loss at the boundary"),
        (Reach.FIRST_LOSS, comparison.losses[:1], "the training loss of the first step"),
        (Reach.LATER, comparison.evaluations[1:], "the evaluation loss after {} steps"),
        (Reach.LATER, comparison.losses[1:], "the training loss of step {}"),
    ):
        limit = 0.0 if part not in reach else math.inf if part is Reach.LATER else most
        if math.isinf(limit):
            continue
        rows = table[~table["equal"].astype(bool)]
        rows = rows[~(rows["diff"].abs() <= limit * rows["control_loss"].abs())] if limit else rows
        if len(rows):
            example = f"what is allowed does not reach so far, but {_told(rows.iloc[0], what)}"
            yield diagnosis("unexplained", example=example)
            return
    names = _parted(comparison.at("final"))
    if names and Reach.LATER not in reach:
        example = f"what is allowed does not reach so far, but {len(names)} tensors of the final state are others"
        yield diagnosis("unexplained", names, example=example)


def too_early(evidence: Evidence) -> Iterator[Diagnosis]:
    """A loss that is another one before anything that was found can have made it so."""
    comparison = evidence.comparison
    if not evidence.found or evidence.nothing_left:
        return
    first_loss, first_evaluation = evidence.earliest
    before = comparison.evaluations["steps_done"] < comparison.first_step[0] + first_evaluation
    parted = _first_apart(comparison.evaluations[before], comparison.losses[:first_loss])
    if parted is not None:
        example = f"the {parted}, and nothing that was found begins so early{_hints(evidence)}"
        yield diagnosis("unexplained", example=example)


def unexplained(evidence: Evidence) -> Iterator[Diagnosis]:
    """Nothing was found, and still the runs part: say where."""
    comparison = evidence.comparison
    if comparison.equal or evidence.found:
        return
    hints = _hints(evidence)
    parted = _first_apart(comparison.evaluations, comparison.losses)
    if parted is not None:
        example = f"every tensor, batch and learning rate before it is equal, but the {parted}{hints}"
        yield diagnosis("unexplained", example=example)
        return
    names = _parted(comparison.at("final"))
    example = f"all losses are equal, but {len(names)} tensors of the final state are not{hints}"
    yield diagnosis("unexplained", names, example=example)


def _first_apart(evaluations: pd.DataFrame, losses: pd.DataFrame) -> str | None:
    """Say where losses part first; None: nowhere."""
    for table, what in ((evaluations, "evaluation loss after {} steps"), (losses, "training loss of step {}")):
        rows = table[~table["equal"].astype(bool)]
        if len(rows):
            return _told(rows.iloc[0], what)
    return None


def _told(row: Any, what: str) -> str:
    """Say what a loss is in both runs; its place, which comes first in the table, is put into `what`."""
    place = what.format(int(row.iloc[0]))
    return f"{place} is {float(row['resumed_loss'])!r}, the control's is {float(row['control_loss'])!r}"


def _parted(rows: pd.DataFrame) -> list[str]:
    return list(rows["name"][~rows["equal"].astype(bool)])


def _hints(evidence: Evidence) -> str:
    """Say what else is another one that may, or may not, have to do with it."""
    found = [f"{name} is in another state" for name in evidence.comparison.generators]
    for ours, theirs in list(evidence.comparison.renamed.items())[:1]:
        count = len(evidence.comparison.renamed)
        found.append(f"{count} tensors have other names, and were matched by their values ({theirs} for {ours})")
    found += [f"{name} is {theirs:g} and not {ours:g}" for name, (ours, theirs) in evidence.comparison.attributes.items()]
    return f". Also, outside of the compared state, {'; '.join(found[:4])}" if found else ""
