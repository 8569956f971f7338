"""Tensors at the boundary, by kind and by what they equal instead of the control's value."""

import re
from collections.abc import Container, Iterator, Sequence
from statistics import median

from ckptcheck.arrays import dtype_of
from ckptcheck.comparison.comparison import TensorComparison
from ckptcheck.comparison.value_origin import (
    ANEW,
    FACTOR,
    FRESH,
    INITIAL,
    NARROWER,
    ROUNDING,
    TENSOR,
    ZERO,
    resolution,
)
from ckptcheck.counts import counted, filled
from ckptcheck.diagnosis.catalogue import diagnosis
from ckptcheck.diagnosis.cause import Diagnosis, Stage
from ckptcheck.diagnosis.findings import Findings, Rule, both_values, by_stage, names, some
from ckptcheck.kinds import Kind

Rows = Sequence[TensorComparison]

# What a report says of values that the new process made itself, by what they equal.
WHERE = {
    INITIAL: "{count:has its initial value|have their initial values}",
    FRESH: "{count:has its initial value|have their initial values}",
    ZERO: "{count:is|are} zero",
    ANEW: "{count:was|were} created in the first step",
    "": "{count:has a value|have values} that the control never had",
}

# Relative difference up to which two factors count as one, in units of their dtype's resolution.
SAME_FACTOR = 8

# The words of a Mersenne Twister's state.
_WORDS = 624

# Kinds that a step or an evaluation of the restore changes: an unknown value may be no loss.
_MOVED_BY_A_STEP = (Kind.WEIGHT, Kind.SLOT, Kind.METRIC)

# Kinds of which a program keeps averages.
_AVERAGED = (Kind.WEIGHT, Kind.MOVING_STATISTIC)

# Kinds that may be infinite: the best loss of a callback is, before the first loss.
_MAY_BE_INFINITE = (Kind.PYTHON, Kind.METRIC, Kind.HYPERPARAMETER)


def _equal_to(origin: str, rows: Rows) -> list[TensorComparison]:
    return [row for row in rows if row.origin.what == origin]


def _total(findings: Findings, *kinds: Kind) -> int:
    """Return how many tensors of some kinds the control holds."""
    return sum(bool(row.control_dtype) for row in findings.of_kind(*kinds))


def not_finite(findings: Findings) -> Iterator[Diagnosis]:
    """NaN or infinity in restored tensors."""
    rows = [row for row in findings.open if row.not_finite and row.kind not in _MAY_BE_INFINITE]
    for stage, lost in by_stage(rows):
        elements = counted(lost[0].elements, "element")
        example = f"{lost[0].name} in {lost[0].not_finite} of {elements}"
        yield diagnosis("not-finite", names(lost), stage, count=len(lost), example=example)


def missing(findings: Findings) -> Iterator[Diagnosis]:
    """Tensors in one process only, or with different dtypes or shapes."""
    rows = [
        row
        for row in findings.open
        if not (row.same_form or _is_attribute(row) or row.origin.what == NARROWER)
    ]
    if rows:
        first = rows[0]
        control = f"{first.control_dtype} {first.control_shape}".strip() or "absent"
        resumed = f"{first.resumed_dtype} {first.resumed_shape}".strip() or "absent"
        example = f"{first.name} is {control} in the control and {resumed} in the resumed run"
        yield diagnosis("tensors-missing", names(rows), count=len(rows), example=example)


def _is_attribute(row: TensorComparison) -> bool:
    """Return whether a row is an attribute of an object in both processes, of any type."""
    return row.kind is Kind.PYTHON and bool(row.control_dtype and row.resumed_dtype)


def replaced_optimizer(findings: Findings) -> Iterator[Diagnosis]:
    """Restored slots that training leaves as they are, although the weights move.

    A different optimizer trains: a new one with the same slots, or one without slots.
    """
    slots = [row for row in findings.of_kind(Kind.SLOT) if row.control_moves and row.same_form]
    still = [row for row in slots if row.equal and not row.resumed_moves]
    weights = [row for row in findings.of_kind(Kind.WEIGHT) if row.control_moves]
    if not weights or not all(row.resumed_moves for row in weights):
        return
    only_resumed = [row for row in findings.open if not row.control_dtype]
    new = {_in_optimizer(row): row for row in only_resumed if row.kind is Kind.SLOT}
    left = [row for row in still if _in_optimizer(row) in new]
    if not left and len(still) == len(slots):
        left = still
    if left:
        owners = {_optimizer(row) for row in new.values()}
        own = [row for row in only_resumed if _optimizer(row) in owners]
        yield diagnosis(
            "slots-lost",
            names([*left, *own]),
            Stage.OVERWRITTEN_AFTER_LOAD,
            count=len(left),
            total=_total(findings, Kind.SLOT),
            where=filled(
                "{count:is|are} restored, but a different optimizer trains", count=len(left)
            ),
        )


def _optimizer(row: TensorComparison) -> str:
    return row.name.partition("/")[0]


def _in_optimizer(row: TensorComparison) -> str:
    """Return the name of a slot without that of its optimizer, such as `dense/bias/momentum`."""
    return row.name.partition("/")[2]


def replicas(findings: Findings) -> Iterator[Diagnosis]:
    """Tensors of replicas that have the value of replica 0."""
    rows = _equal_to(TENSOR, findings.open_of(Kind.MOVING_STATISTIC))
    lost = [
        row for row in rows if row.origin.name == re.sub(r", replica \d+$", ", replica 0", row.name)
    ]
    if lost:
        every = findings.of_kind(Kind.MOVING_STATISTIC)
        total = sum(", replica " in row.name for row in every)
        yield diagnosis("replicas-lost", names(lost), count=len(lost), total=total)


def shadows_in_weights(findings: Findings) -> Iterator[Diagnosis]:
    """Weights with the value of a shadow variable, and shadow variables swapped with them."""
    shadows = set(names(findings.of_kind(Kind.SHADOW)))
    weights = [
        row
        for row in _equal_to(TENSOR, findings.open_of(Kind.WEIGHT))
        if row.origin.name in shadows
    ]
    if weights:
        total, swapped = _total(findings, Kind.WEIGHT), set(names(weights))
        back = [
            row
            for row in _equal_to(TENSOR, findings.open_of(Kind.SHADOW))
            if row.origin.name in swapped
        ]
        yield diagnosis(
            "shadows-in-weights", names([*weights, *back]), count=len(weights), total=total
        )


def _lost(cause: str, *kinds: Kind) -> Rule:
    """Return the rule for tensors of some kinds whose value the new process made itself."""

    def rule(findings: Findings) -> Iterator[Diagnosis]:
        total = _total(findings, *kinds)
        rows = [row for row in findings.open_of(*kinds) if _is_lost(row, findings)]
        for stage, lost in by_stage(rows):
            origins = {row.origin.what for row in lost}
            template = next(text for origin, text in WHERE.items() if origin in origins)
            where = filled(template, count=len(lost))
            fields = {"count": len(lost), "total": total, "where": where}
            about = {"start": "their initial values", "seen": _seen(findings)}
            yield diagnosis(cause, names(lost), stage, **fields, **about)

    return rule


def _seen(findings: Findings) -> str:
    """Say that no training loss shows the loss of averages: those of a target network show it."""
    is_equal = all(step.equal for step in findings.comparison.steps)
    return " No training loss shows it." if is_equal else ""


def _is_lost(row: TensorComparison, findings: Findings) -> bool:
    overwritten = row.kind not in _MOVED_BY_A_STEP and findings.is_overwritten(row)
    return overwritten or findings.is_own(row)


lost_statistics = _lost("moving-statistics-lost", Kind.MOVING_STATISTIC)
lost_weights = _lost("weights-lost", Kind.WEIGHT)
lost_slots = _lost("slots-lost", Kind.SLOT)
lost_accumulators = _lost("accumulators-lost", Kind.ACCUMULATOR)
lost_others = _lost("state-lost", Kind.OTHER)
_own_metrics = _lost("state-lost", Kind.METRIC)
_own_shadows = _lost("shadows-lost", Kind.SHADOW)


def lost_metrics(findings: Findings) -> Iterator[Diagnosis]:
    """Metrics that start anew, if the runs diverge: training does not read a metric by itself."""
    if not findings.comparison.equal:
        yield from _own_metrics(findings)


def lost_shadows(findings: Findings) -> Iterator[Diagnosis]:
    """Shadow variables that start again: from initial values, or from the restored weights."""
    yield from _own_shadows(findings)
    weights = set(names(findings.of_kind(Kind.WEIGHT)))
    # A program that averages by hand gives its variables names that tell no kind.
    restored = {row.name for row in findings.of_kind(*_AVERAGED) if row.equal}
    rows = [
        row
        for row in _equal_to(TENSOR, findings.open_of(Kind.SHADOW, Kind.OTHER))
        if row.origin.name in (weights if row.kind is Kind.SHADOW else restored)
    ]
    others = sum(row.kind is Kind.OTHER for row in rows)
    total = _total(findings, Kind.SHADOW) + others
    for stage, lost in by_stage(rows):
        where = filled("{count:equals its weight|equal their weights} as restored", count=len(lost))
        fields = {"count": len(lost), "total": total, "where": where}
        about = {"start": "the restored weights", "seen": _seen(findings)}
        yield diagnosis("shadows-lost", names(lost), stage, **fields, **about)


def _swapped(cause: str, *kinds: Kind) -> Rule:
    """Return the rule for tensors of some kinds that have the value of a different tensor."""

    def rule(findings: Findings) -> Iterator[Diagnosis]:
        rows = _equal_to(TENSOR, findings.open_of(*(kinds or Kind)))
        if rows:
            example = f"{rows[0].name} has the value of {rows[0].origin.name}"
            # Slots and averages of swapped weights are swapped with them.
            along = (
                _equal_to(TENSOR, findings.open_of(Kind.SLOT, Kind.SHADOW))
                if Kind.WEIGHT in kinds
                else []
            )
            yield diagnosis(
                cause, names([*rows, *along]), count=len(rows) + len(along), example=example
            )

    return rule


swapped_weights = _swapped("weights-swapped", Kind.WEIGHT)
swapped_slots = _swapped("slots-swapped", Kind.SLOT)
swapped = _swapped("tensors-swapped")


def scaled(findings: Findings) -> Iterator[Diagnosis]:
    """Weights that equal the control's times one factor, single numbers among them."""
    weights = findings.open_of(Kind.WEIGHT)
    proven = _equal_to(FACTOR, weights)
    if proven:
        factor = median(row.origin.value for row in proven)
        alike = [row for row in weights if _is_times(factor, row)]
        total = _total(findings, Kind.WEIGHT)
        for stage, lost in by_stage(alike):
            yield diagnosis(
                "weights-scaled",
                names(lost),
                stage,
                count=len(lost),
                total=total,
                factor=_factor(factor),
            )


def _is_times(factor: float, row: TensorComparison) -> bool:
    """Return whether a tensor is the control's times a factor; any single number is by some."""
    off = abs(row.origin.value - factor)
    within = SAME_FACTOR * resolution(dtype_of(row.control_dtype.split()[0])) * abs(factor)
    return row.origin.what in (FACTOR, "") and off <= within


def _factor(value: float) -> str:
    """Return a factor with enough digits to differ from 1."""
    return next((text for text in (f"{value:.9g}", f"{value:.12g}") if text != "1"), repr(value))


def narrower(findings: Findings) -> Iterator[Diagnosis]:
    """Tensors rounded to a narrower dtype."""
    total = len(findings.boundary)
    for stage, lost in by_stage(_equal_to(NARROWER, findings.open)):
        dtypes = " and ".join(dict.fromkeys(row.origin.name for row in lost))
        # Tensors of different dtypes are not compared element by element.
        largest = max(row.max_abs_diff if row.same_form else row.origin.value for row in lost)
        yield diagnosis(
            "precision-lost",
            names(lost),
            stage,
            count=len(lost),
            total=total,
            dtype=dtypes,
            apart=largest,
        )


def rounding(findings: Findings) -> Iterator[Diagnosis]:
    """Tensors that differ only by rounding; hyperparameters and metrics are not computed so."""
    rows = [
        row
        for row in _equal_to(ROUNDING, findings.open)
        if row.kind not in (Kind.HYPERPARAMETER, Kind.METRIC)
    ]
    if rows:  # with no stage: nothing was lost
        total, largest = len(findings.boundary), max(row.max_abs_diff for row in rows)
        yield diagnosis("rounding", names(rows), count=len(rows), total=total, apart=largest)


def loss_scale(findings: Findings) -> Iterator[Diagnosis]:
    """A loss scale with any different value."""
    for stage, rows in by_stage(findings.open_of(Kind.LOSS_SCALE)):
        yield diagnosis(
            "loss-scale-lost", names(rows), stage, example=some(list(map(both_values, rows)), 2)
        )


def python_state(findings: Findings) -> Iterator[Diagnosis]:
    """State of Python objects with any different value: no checkpoint holds it."""
    rows = [row for row in findings.open if _is_attribute(row)]
    if rows:
        example = some(list(map(both_values, rows)), 2)
        yield diagnosis("python-state-lost", names(rows), example=example, experiment="")


def generators(findings: Findings) -> Iterator[Diagnosis]:
    """Random generators in a different state: their first one, a moved one, or an unknown one."""
    rows, total = findings.open_of(Kind.RNG), _total(findings, Kind.RNG)
    restarted = _equal_to(INITIAL, rows)
    for stage, lost in by_stage(restarted):
        where = filled("{count:is|are} back at {count:its|their} start", count=len(lost))
        yield diagnosis(
            "generators-restarted", names(lost), stage, count=len(lost), total=total, where=where
        )
    shifted = [row for row in rows if row not in restarted and _is_shifted(row)]
    if shifted:  # with no stage: the state, or one of its stream, was there
        yield diagnosis("generators-shifted", names(shifted), count=len(shifted), total=total)
    for stage, lost in by_stage([row for row in rows if row not in (*restarted, *shifted)]):
        where = filled(
            "{count:has a state|have states} that occur{count:s|} at none of the control's saves",
            count=len(lost),
        )
        yield diagnosis(
            "generators-reseeded", names(lost), stage, count=len(lost), total=total, where=where
        )


def _is_shifted(row: TensorComparison) -> bool:
    """Return whether a generator has the control's numbers and a different place in them.

    Those of the Mersenne Twister are drawn from hundreds of words, which any other seed changes.
    """
    return row.elements >= _WORDS and row.differing <= row.elements // 100


def leftover(findings: Findings) -> Iterator[Diagnosis]:
    """Tensors that differ at the boundary and match no known value."""
    rows = [row for row in findings.open if row.same_form and row.kind is not Kind.METRIC]
    if findings.first_step_differs:
        # Tensors created in that step may differ because of it.
        rows = [row for row in rows if row.origin.what != ANEW]
    for stage, lost in by_stage(rows):
        first, elements = lost[0], counted(lost[0].elements, "element")
        example = filled(
            "{count} {count:tensor differs|tensors differ} at the boundary and "
            "{count:matches|match} no known value",
            count=len(lost),
        )
        hints = (
            f"{first.name} differs in {first.differing} of {elements}, by up to "
            f"{first.max_abs_diff:.3g}."
        )
        yield diagnosis("unexplained", names(lost), stage, example=example, hints=hints)


def dead_statistics(findings: Findings) -> Iterator[Diagnosis]:
    """Moving statistics that never change in the control, outside frozen layers."""
    statistics = names(findings.of_kind(Kind.MOVING_STATISTIC))
    never = set(findings.comparison.never_moved)
    dead = [name for name in statistics if name in never and not _is_frozen(name, findings, never)]
    if dead:
        yield diagnosis(
            "statistics-never-move", dead, Stage.NEVER_LIVE, count=len(dead), total=len(statistics)
        )


def _is_frozen(name: str, findings: Findings, never: Container[str]) -> bool:
    """Return whether a statistic belongs to a layer of which nothing is trained, and nothing moves.

    The layer is the innermost one that holds anything else of the program's own.
    """
    rows = [row for row in findings.boundary if row.kind in (Kind.WEIGHT, Kind.OTHER)]
    layer = name
    while (end := max(layer.rfind("/"), layer.rfind("."))) > 0:
        layer = layer[:end]
        if beside := [row for row in rows if row.name.startswith((f"{layer}/", f"{layer}."))]:
            return all(row.kind is Kind.OTHER and row.name in never for row in beside)
    return False


def dead_shadows(findings: Findings) -> Iterator[Diagnosis]:
    """Shadow variables that never change in the control, although weights do."""
    shadows, never = names(findings.of_kind(Kind.SHADOW)), set(findings.comparison.never_moved)
    dead = [name for name in shadows if name in never]
    if dead and not set(names(findings.of_kind(Kind.WEIGHT))) <= never:
        yield diagnosis(
            "shadows-never-move", dead, Stage.NEVER_LIVE, count=len(dead), total=len(shadows)
        )
