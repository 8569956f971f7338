"""Tensors at the boundary, by kind and by what they equal instead."""

from collections.abc import Callable, Iterator

import pandas as pd

from ckptcheck.comparison.value_origin import ANEW, FACTOR, FRESH, INITIAL, NARROWER, ROUNDING, TENSOR, ZERO
from ckptcheck.diagnosis.catalogue import Stage
from ckptcheck.diagnosis.cause import Diagnosis, diagnosis
from ckptcheck.diagnosis.findings import Evidence, apart, by_stage, values
from ckptcheck.kinds import Kind

Look = Callable[[Evidence], Iterator[Diagnosis]]

# What a value that is the new process's own is called, by what it equals.
WHERE = {
    INITIAL: "at their initial values",
    FRESH: "at their initial values",
    ZERO: "zero",
    ANEW: "made anew in the first step",
}

# What two factors may differ by and still be one, relative to it.
SAME_FACTOR = 1e-6


# What nobody computes with: the best loss that a callback has seen is infinite before it has seen one.
_MAY_BE_INFINITE = [Kind.PYTHON.value, Kind.METRIC.value, Kind.HYPERPARAMETER.value]


def not_finite(evidence: Evidence) -> Iterator[Diagnosis]:
    """NaN or infinity where something was restored."""
    found = evidence.open[~evidence.open["kind"].isin(_MAY_BE_INFINITE)]
    for stage, rows in by_stage(found[found["not_finite"] > 0]):
        first = rows.iloc[0]
        example = f"{first['name']} has {first['not_finite']} of {first['elements']}"
        yield diagnosis("not-finite", list(rows["name"]), stage, count=len(rows), example=example)


def missing(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tensors that only one of the two processes holds, or has with another dtype or shape."""
    rows = evidence.open[apart(evidence.open)]
    if len(rows):
        first = rows.iloc[0]
        control, resumed = (
            f"{first[f'{side}_dtype']} {first[f'{side}_shape']}".strip() or "absent" for side in ("control", "resumed")
        )
        example = f"{first['name']} is {control} in the control and {resumed} in the resumed run"
        yield diagnosis("tensors-missing", list(rows["name"]), example=example)


def replicas(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tensors of a replica that have the value of replica 0's."""
    rows = evidence.open_of(Kind.MOVING_STATISTIC)
    first = rows["name"].str.replace(r", replica \d+$", ", replica 0", regex=True)
    found = rows[(rows["equals"] == TENSOR) & (rows["equals_name"] == first)]
    if len(found):
        total = int(evidence.boundary["name"].str.contains(", replica ").sum())
        yield diagnosis("replicas-lost", list(found["name"]), count=len(found), total=total)


def shadows_in_weights(evidence: Evidence) -> Iterator[Diagnosis]:
    """Weights that have the value of a shadow variable; where the two changed places, shadows that have those weights'."""
    shadows = set(evidence.of_kind(Kind.SHADOW)["name"])
    weights = evidence.open_of(Kind.WEIGHT)
    found = weights[(weights["equals"] == TENSOR) & weights["equals_name"].isin(shadows)]
    if len(found):
        total = len(evidence.of_kind(Kind.WEIGHT))
        back = evidence.open_of(Kind.SHADOW)
        back = back[back["equals"] == TENSOR]
        exchanged = [*found["name"], *back["name"][back["equals_name"].isin(set(found["name"]))]]
        yield diagnosis("shadows-in-weights", exchanged, count=len(found), total=total)


def _lost(cause: str, *kinds: Kind) -> Look:
    """Make the look for tensors of some kinds that have a value of the new process's own."""

    def look(evidence: Evidence) -> Iterator[Diagnosis]:
        rows = evidence.open_of(*kinds)
        for stage, lost in by_stage(rows[evidence.are_own(rows)]):
            what = set(lost["equals"])
            where = next(text for word, text in WHERE.items() if word in what)
            total = len(evidence.of_kind(*kinds))
            yield diagnosis(cause, list(lost["name"]), stage, count=len(lost), total=total, where=where)

    return look


lost_statistics = _lost("moving-statistics-lost", Kind.MOVING_STATISTIC)
lost_weights = _lost("weights-lost", Kind.WEIGHT)
lost_slots = _lost("slots-lost", Kind.SLOT)
lost_accumulators = _lost("accumulators-lost", Kind.ACCUMULATOR)
lost_others = _lost("state-lost", Kind.OTHER)
lost_metrics = _lost("state-lost", Kind.METRIC)


def lost_shadows(evidence: Evidence) -> Iterator[Diagnosis]:
    """Shadow variables that begin anew: from initial values, or from the weights as they came back."""
    yield from _lost("shadows-lost", Kind.SHADOW)(evidence)
    weights = set(evidence.of_kind(Kind.WEIGHT)["name"])
    rows = evidence.open_of(Kind.SHADOW)
    rows = rows[(rows["equals"] == TENSOR) & rows["equals_name"].isin(weights)]
    for stage, lost in by_stage(rows):
        total = len(evidence.of_kind(Kind.SHADOW))
        where = "the weights as they came back"
        yield diagnosis("shadows-lost", list(lost["name"]), stage, count=len(lost), total=total, where=where)


def _swapped(cause: str, *kinds: Kind) -> Look:
    """Make the look for tensors of some kinds that have the value of another tensor."""

    def look(evidence: Evidence) -> Iterator[Diagnosis]:
        rows = evidence.open_of(*kinds) if kinds else evidence.open[~apart(evidence.open)]
        found = rows[rows["equals"] == TENSOR]
        if len(found):
            first = found.iloc[0]
            example = f"{first['name']} has the value of {first['equals_name']}"
            names = list(found["name"])
            # What belongs to exchanged weights, their slots and averages, is exchanged with them.
            along = evidence.open_of(Kind.SLOT, Kind.SHADOW) if Kind.WEIGHT in kinds else found[:0]
            names += list(along["name"][along["equals"] == TENSOR])
            yield diagnosis(cause, names, count=len(names), example=example)

    return look


swapped_weights = _swapped("weights-swapped", Kind.WEIGHT)
swapped_slots = _swapped("slots-swapped", Kind.SLOT)
swapped = _swapped("tensors-swapped")


def scaled(evidence: Evidence) -> Iterator[Diagnosis]:
    """Weights that are the control's times one factor."""
    rows = evidence.open_of(Kind.WEIGHT)
    rows = rows[rows["equals"] == FACTOR]
    if len(rows):
        factor = float(rows["equals_value"].median())
        found = rows[(rows["equals_value"] - factor).abs() <= SAME_FACTOR * abs(factor)]
        total = len(evidence.of_kind(Kind.WEIGHT))
        for stage, alike in by_stage(found):
            yield diagnosis("weights-scaled", list(alike["name"]), stage, count=len(alike), total=total, factor=factor)


def narrower(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tensors that were rounded to a narrower dtype."""
    rows = evidence.open
    rows = rows[rows["equals"] == NARROWER]
    for stage, found in by_stage(rows):
        names = " and ".join(dict.fromkeys(found["equals_name"]))
        amount = float(found["max_abs_diff"].max())
        total = len(evidence.boundary)
        yield diagnosis("precision-lost", list(found["name"]), stage, count=len(found), total=total, dtype=names, apart=amount)


def rounding(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tensors that differ by the rounding of an operation or two; a setting does not come by rounding."""
    rows = evidence.open
    rows = rows[rows["equals"] == ROUNDING]
    found = rows[~rows["kind"].isin([Kind.HYPERPARAMETER.value, Kind.METRIC.value])]
    if len(found):  # at whichever stage: nothing was lost
        total, amount = len(evidence.boundary), float(found["max_abs_diff"].max())
        yield diagnosis("rounding", list(found["name"]), count=len(found), total=total, apart=amount)


def loss_scale(evidence: Evidence) -> Iterator[Diagnosis]:
    """The loss scale, whatever it is instead."""
    for stage, found in by_stage(evidence.open_of(Kind.LOSS_SCALE)):
        yield diagnosis("loss-scale-lost", list(found["name"]), stage, example=_values(found))


def remembered(evidence: Evidence) -> Iterator[Diagnosis]:
    """What objects of the program remember, whatever it is instead: they are no part of a checkpoint."""
    found = evidence.open_of(Kind.PYTHON)
    if len(found):
        yield diagnosis("python-state-lost", list(found["name"]), example=_values(found))


def _values(rows: pd.DataFrame) -> str:
    """Say what the first tensors are in both runs."""
    told = [values(row) for _, row in rows[:3].iterrows()]
    return "; ".join(told) + (f"; and {len(rows) - 3} more" if len(rows) > 3 else "")


def generators(evidence: Evidence) -> Iterator[Diagnosis]:
    """Random generators in another state: their first one, or one that nobody has had."""
    rows = evidence.open_of(Kind.RNG)
    total = len(evidence.of_kind(Kind.RNG))
    for cause, where, found in (
        ("generators-restarted", "are where they began", rows[rows["equals"] == INITIAL]),
        ("generators-reseeded", "are in a state that is none of the control's at its saves", rows[rows["equals"] != INITIAL]),
    ):
        for stage, lost in by_stage(found):
            yield diagnosis(cause, list(lost["name"]), stage, count=len(lost), total=total, where=where)


def leftover(evidence: Evidence) -> Iterator[Diagnosis]:
    """Tensors that differ at the boundary and equal nothing known."""
    rows = evidence.open[~apart(evidence.open) & (evidence.open["kind"] != Kind.METRIC.value)]
    if evidence.first_step_was_another:
        rows = rows[rows["equals"] != ANEW]  # that step made them others, or nobody can tell
    for stage, lost in by_stage(rows):
        first = lost.iloc[0]
        example = (
            f"{len(lost)} tensors differ at the boundary and equal nothing known; {first['name']} differs in "
            f"{first['differing']} of {first['elements']} elements, by {first['max_abs_diff']:.3g} at most"
        )
        yield diagnosis("unexplained", list(lost["name"]), stage, example=example)


def dead_statistics(evidence: Evidence) -> Iterator[Diagnosis]:
    """Moving statistics of the control that never change."""
    statistics = evidence.of_kind(Kind.MOVING_STATISTIC)
    dead = [name for name in statistics["name"] if name in evidence.comparison.never_moved]
    if dead:
        yield diagnosis("statistics-never-move", dead, Stage.NEVER_LIVE, count=len(dead), total=len(statistics))


def dead_shadows(evidence: Evidence) -> Iterator[Diagnosis]:
    """Shadow variables of the control that never change, though weights do."""
    shadows, never = evidence.of_kind(Kind.SHADOW), set(evidence.comparison.never_moved)
    dead = [name for name in shadows["name"] if name in never]
    if dead and not set(evidence.of_kind(Kind.WEIGHT)["name"]) <= never:
        yield diagnosis("shadows-never-move", dead, Stage.NEVER_LIVE, count=len(dead), total=len(shadows))
