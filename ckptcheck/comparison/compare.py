"""Compare a resumed run with its control.

Identical means bit for bit: dtype, shape and every byte. 0.0 and -0.0 differ; NaN equals NaN only
on request. Equal means identical, or within a requested tolerance or the noise of the job.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ckptcheck.arrays import count_not_finite, differing, is_telling, largest_difference, norm, same
from ckptcheck.comparison import batch_order
from ckptcheck.comparison.comparison import (
    BOUNDARY,
    FINAL,
    LIVE_STATE,
    Comparison,
    EvaluationComparison,
    HyperparameterDifference,
    StepComparison,
    TensorComparison,
)
from ckptcheck.comparison.equality import STRICT, Equality
from ckptcheck.comparison.idle_generators import is_undrawn, undecided, without_idle_generators
from ckptcheck.comparison.idle_optimizers import without_idle
from ckptcheck.comparison.noise_floor import NoiseFloor, rounding_of_evaluations
from ckptcheck.comparison.rename_matching import match
from ckptcheck.comparison.value_origin import ANEW, Origin, OriginLookup
from ckptcheck.job.frameworks import restores_at_once
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from ckptcheck.run.digests import digest
from ckptcheck.run.run import Run, StepRecord
from ckptcheck.run.snapshots import INITIAL, Snapshot, boundary_point, next_point
from ckptcheck.tolerance import Tolerance


def compare(control: Run, resumed: Run, equality: Equality = STRICT) -> Comparison:
    """Compare a resumed run with its control, at the boundary and from there to the end."""
    control, resumed = without_idle(control, resumed)
    names = match(control.compared, resumed.compared)
    resumed = resumed.renamed(names)
    schedule, noise = control.facts.schedule, equality.noise
    pairs = _boundary_pairs(control, resumed, equality.tolerance)
    # A difference at the boundary is no noise: after it, only unseeded inputs count as noise.
    restored = resumed.facts.first_step == schedule.boundary and all(
        pair.late or pair.values.equal for pair in pairs
    )
    floor = noise if restored else None
    open_ = undecided(control, resumed)
    tensors, left_out = _tensors(pairs, control, resumed, equality, floor, open_)
    accepted = {name for names in left_out.values() for name in names}
    steps = list(zip(control.steps[control.position :], resumed.steps, strict=False))
    settings = (difference for step in steps for difference in _differing_settings(*step, equality))
    comparison = Comparison(
        tensors=tensors,
        steps=tuple(_step(index, *step, equality, floor) for index, step in enumerate(steps)),
        evaluations=tuple(_evaluations(control, resumed, equality, floor)),
        first_step=(schedule.boundary, resumed.facts.first_step),
        steps_after=len(control.steps) - control.position,
        never_moved=_never_moved(control),
        batches=batch_order.DataPath()
        if noise and noise.batches_differ
        else batch_order.batches(control, resumed),
        draws=() if noise and noise.draws_differ else batch_order.draws(control, resumed),
        hyperparameter=None if noise and noise.hyperparameters_differ else next(settings, None),
        attributes=_attributes(control, resumed),
        set_by_restore=_set_by_restore(control, resumed),
        generators=_generators(control, resumed),
        drawn_between=_drawn_between(control),
        renamed={ours: theirs for theirs, ours in names.items()},
        left_out=left_out,
        restores_at_once=restores_at_once(control.facts.framework),
        steps_per_epoch=batch_order.epoch(control),
        rates_from=_rates_from(control, resumed),
        unseen=tuple(sorted({*(control.facts.unseen or ()), *(resumed.facts.unseen or ())})),
        steps_resumed=_steps_of_its_own(resumed),
        sealed=tuple(control.facts.sealed),
        undecided=tuple(name for name in open_ if name not in accepted),
    )
    comparison = _with_rounded_evaluations(comparison, rounding_of_evaluations(control))
    return without_idle_generators(comparison)


def _steps_of_its_own(resumed: Run) -> int | None:
    """Return how many steps a command made; None: they are a job's, or were counted in files."""
    unseen = resumed.facts.unseen
    return None if unseen is None or LIVE_STATE in unseen else len(resumed.steps)


# --- Tensors ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Values:
    differing: int
    max_abs_diff: float
    identical: bool
    equal: bool


@dataclass(frozen=True)
class _Pair:
    """A tensor in the control and in the resumed run; None: the process does not hold it."""

    point: str
    name: str
    control: Tensor | None
    resumed: Tensor | None
    tolerance: Tolerance
    late: bool = False

    @property
    def known(self) -> Tensor:
        tensor = self.control or self.resumed
        assert tensor is not None
        return tensor

    @cached_property
    def values(self) -> _Values:
        if (
            self.control is None
            or self.resumed is None
            or _form(self.control) != _form(self.resumed)
        ):
            return _Values(self.known.value.size, math.nan, identical=False, equal=False)
        ours, theirs = self.control.value, self.resumed.value
        count = int(differing(ours, theirs, self.tolerance.equal_nan).sum())
        equal = count == 0 or self.tolerance.allows(ours, theirs)
        return _Values(count, largest_difference(ours, theirs), identical=count == 0, equal=equal)


def _form(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.value.dtype, tensor.value.shape


def _boundary_pairs(control: Run, resumed: Run, tolerance: Tolerance) -> list[_Pair]:
    """Pair the tensors at the boundary, or after the first step if that creates them."""
    pairs = _pairs(BOUNDARY, control.boundary, resumed.boundary, tolerance)
    ours, theirs = control.after_boundary or {}, resumed.after_boundary or {}
    return [
        replace(pair, control=ours[pair.name], resumed=theirs[pair.name], late=True)
        if pair.resumed is None and pair.name in ours and pair.name in theirs
        else pair
        for pair in pairs
    ]


def _pairs(point: str, control: Snapshot, resumed: Snapshot, tolerance: Tolerance) -> list[_Pair]:
    names = dict.fromkeys([*control, *resumed])
    return [_Pair(point, name, control.get(name), resumed.get(name), tolerance) for name in names]


def _tensors(
    at_boundary: Sequence[_Pair],
    control: Run,
    resumed: Run,
    equality: Equality,
    floor: NoiseFloor | None,
    undecided: Collection[str],
) -> tuple[tuple[TensorComparison, ...], Mapping[str, tuple[str, ...]]]:
    """Compare all tensors at boundary and end; return also the names that patterns leave out."""
    lookup, at_end = (
        OriginLookup(control, resumed),
        _pairs(FINAL, control.final, resumed.final, equality.tolerance),
    )
    rows = [_row(pair, control, resumed, floor, lookup) for pair in (*at_boundary, *at_end)]
    left_out = equality.matches(
        row.name
        for row in rows
        if row.point == BOUNDARY and (row.name in undecided or not row.equal)
    )
    names = {name for matched in left_out.values() for name in matched}
    return tuple(replace(row, equal=True) if row.name in names else row for row in rows), left_out


def _row(
    pair: _Pair, control: Run, resumed: Run, floor: NoiseFloor | None, lookup: OriginLookup
) -> TensorComparison:
    name, values = pair.name, pair.values
    # Final values depend on all steps: they are not looked up.
    is_lost = pair.point == BOUNDARY and not values.equal and pair.resumed is not None
    asked, held, saved_so = _keys(
        name, control.boundary.get(name) if is_lost else None, resumed, lookup
    )
    may_vary, is_idle = pair.late or pair.point == FINAL, is_undrawn(name, control, resumed)
    return TensorComparison(
        point=pair.point,
        name=name,
        kind=pair.known.kind,
        control_dtype=_dtype(pair.control),
        resumed_dtype=_dtype(pair.resumed),
        control_shape=_shape(pair.control),
        resumed_shape=_shape(pair.resumed),
        equal=values.equal
        or is_idle
        or (floor is not None and may_vary and values.max_abs_diff <= floor.of_tensor(name)),
        identical=values.identical,
        late=pair.late,
        elements=pair.known.value.size,
        differing=values.differing,
        max_abs_diff=values.max_abs_diff,
        control_norm=norm(pair.control.value) if pair.control else math.nan,
        resumed_norm=norm(pair.resumed.value) if pair.resumed else math.nan,
        control_number=_number(pair.control),
        resumed_number=_number(pair.resumed),
        not_finite=_not_finite(pair.control, pair.resumed),
        origin=_origin(pair, lookup) if is_lost else Origin(),
        asked=asked,
        held=held,
        saved_so=saved_so,
        as_saved=is_lost and pair.resumed is not None and lookup.is_saved(pair.resumed.value),
        poisoned=_is_poisoned(name, control, resumed),
        control_moves=_moves(name, control),
        resumed_moves=_moves(name, resumed),
        unread=is_idle or pair.known.kind is Kind.METRIC,
    )


def _not_finite(control: Tensor | None, resumed: Tensor | None) -> int:
    return count_not_finite(control.value if control else None, resumed.value) if resumed else 0


def _origin(pair: _Pair, lookup: OriginLookup) -> Origin:
    assert pair.resumed is not None
    return Origin(ANEW) if pair.late else lookup.of(pair.name, pair.control, pair.resumed)


def _moves(name: str, run: Run) -> bool:
    start, end = run.boundary.get(name), run.final.get(name)
    return start is None or end is None or not same(start.value, end.value, equal_nan=True)


def _is_poisoned(name: str, control: Run, resumed: Run) -> bool:
    """Return whether a tensor can prove that the restore had an effect: its value differed before.

    If the resumed run did not start with the tensor, the control's initial value decides. If
    neither run did, the control's value decides: no initialiser gives a telling one.
    """
    wanted = control.boundary.get(name)
    before = resumed.initial.get(name, control.initial.get(name))
    if wanted is None:
        return False
    if before is None:
        # The first step makes a count 1.
        is_count = wanted.kind is Kind.COUNTER and bool((abs(wanted.value) > 1).all())
        return is_count or is_telling(wanted.value)
    # NaN proves no difference, whether or not NaN equals NaN elsewhere.
    return not same(wanted.value, before.value, equal_nan=True)


def _keys(
    name: str, lost: Tensor | None, resumed: Run, lookup: OriginLookup
) -> tuple[bool | None, bool | None, bool | None]:
    """Return whether the restore asked for a tensor, whether the checkpoint holds it, and how.

    The last result is whether the saved value differs. A checkpoint holds a tensor by its key, or
    by its lost value if no other tensor has that value.
    """
    facts = resumed.facts
    asked = None if facts.asked is None else name in facts.asked
    key = name if facts.asked is None else facts.asked.get(name, name)
    held = None if facts.held is None else key in facts.held
    if facts.values is None or lost is None:
        return asked, held, None
    by_value = lookup.is_held(lost.value)
    if not asked and not held and lookup.decides(lost.value):
        held = by_value
    return asked, held, not by_value


def _number(tensor: Tensor | None) -> str:
    """Return a single number as Python writes it, or an empty text."""
    if tensor is None or tensor.value.size != 1 or tensor.value.dtype.kind not in "biuf":
        return ""
    return repr(tensor.value.item())


def _dtype(tensor: Tensor | None) -> str:
    if tensor is None:
        return ""
    dtype = tensor.value.dtype
    return dtype.name if dtype.isnative else f"{dtype.name} in non-native byte order"


def _shape(tensor: Tensor | None) -> str:
    return "" if tensor is None else str(tensor.value.shape)


def _never_moved(control: Run) -> tuple[str, ...]:
    later = control.boundary, control.final
    return tuple(
        name
        for name, tensor in control.initial.items()
        if tensor.kind is not Kind.HYPERPARAMETER  # may be constant
        and all(
            name in state and same(tensor.value, state[name].value, equal_nan=True)
            for state in later
        )
    )


# --- Steps and evaluations ----------------------------------------------------------------


def _step(
    index: int,
    control: StepRecord,
    resumed: StepRecord,
    equality: Equality,
    floor: NoiseFloor | None,
) -> StepComparison:
    noise = equality.noise
    return StepComparison(
        control.number,
        resumed.number,
        **_losses(
            control.loss,
            resumed.loss,
            equality,
            floor.of_loss(index, control.loss) if floor else None,
        ),
        control_batch=control.batch,
        resumed_batch=resumed.batch,
        batch_equal=bool(noise and noise.batches_differ) or control.batch == resumed.batch,
        control_rate=control.rate,
        resumed_rate=resumed.rate,
        rate_equal=equality.of_rates(control.rate, resumed.rate),
        draws_equal=bool(noise and noise.draws_differ) or control.draws == resumed.draws,
        hyperparameters_equal=bool(noise and noise.hyperparameters_differ)
        or next(_differing_settings(control, resumed, equality), None) is None,
    )


def _losses(
    control: float, resumed: float, equality: Equality, floor: float | None
) -> dict[str, Any]:
    ours, theirs, diff = np.array(control), np.array(resumed), resumed - control
    identical = same(ours, theirs, equality.tolerance.equal_nan)
    equal = (
        identical
        or equality.tolerance.allows(ours, theirs)
        or (floor is not None and abs(diff) <= floor)
    )
    return {
        "control_loss": control,
        "resumed_loss": resumed,
        "diff": diff,
        "equal": equal,
        "identical": identical,
    }


def _differing_settings(
    control: StepRecord, resumed: StepRecord, equality: Equality
) -> Iterator[HyperparameterDifference]:
    ours, theirs = control.hyperparameters or {}, resumed.hyperparameters or {}
    for name in dict.fromkeys([*ours, *theirs]):
        if not equality.of_settings(ours.get(name), theirs.get(name)):
            yield HyperparameterDifference(control.number, name, ours.get(name), theirs.get(name))


def _rates_from(control: Run, resumed: Run) -> tuple[int, ...]:
    ours, theirs = ([step.rate for step in run.steps] for run in (control, resumed))
    if len(set(ours)) < 2:
        return ()
    whole = len(ours) - control.position
    return tuple(
        place
        for place in range(len(ours))
        if place != control.position
        and ours[place : place + whole] == theirs[: len(ours) - place][:whole]
    )


def _evaluations(
    control: Run, resumed: Run, equality: Equality, floor: NoiseFloor | None
) -> Iterator[EvaluationComparison]:
    """Compare the evaluations of both runs from the boundary on, in order within a step."""
    boundary = control.facts.schedule.boundary
    waiting: dict[int, list[float]] = {}
    for done, loss in resumed.facts.evaluations:
        waiting.setdefault(done, []).append(loss)
    for done, loss in control.facts.evaluations:
        if done >= boundary and waiting.get(done):
            allowed = (
                floor.of_evaluation(done, loss, at_boundary=done == boundary) if floor else None
            )
            yield EvaluationComparison(
                done, **_losses(loss, waiting[done].pop(0), equality, allowed)
            )


def _with_rounded_evaluations(comparison: Comparison, within: float) -> Comparison:
    """Count evaluations as equal that differ by rounding alone, if nothing else differs at all.

    An evaluation is computed from the state, which is bit-equal before and after it, as are all
    losses of the training.
    """
    if not replace(comparison, evaluations=()).exact:
        return comparison
    evaluations = [
        replace(row, equal=row.equal or row.is_within(within)) for row in comparison.evaluations
    ]
    return replace(comparison, evaluations=tuple(evaluations))


# --- Hints: what may explain differences, but is not one ----------------------------------


Recorded = Mapping[str, Mapping[str, Any]]  # by point and name


def _attributes(control: Run, resumed: Run) -> dict[str, tuple[Any, Any]]:
    """Return both values at the boundary of what differs there and changes in the control."""
    ours, theirs = control.facts.attributes, resumed.facts.attributes
    differing = _differing_at(_point(control), ours, theirs)
    return {name: both for name, both in differing.items() if _changes(name, ours, ours)}


def _set_by_restore(control: Run, resumed: Run) -> dict[str, tuple[Any, Any]]:
    """Return both values of what differs, stands still in the control, and the restore sets.

    What the restore does not set may differ in any two processes, such as a time.
    """
    ours, theirs, point = control.facts.attributes, resumed.facts.attributes, _point(control)
    return {
        name: both
        for name, both in _differing_at(point, ours, theirs).items()
        if not _changes(name, ours, ours) and _changes(name, theirs, (INITIAL, point))
    }


def _generators(control: Run, resumed: Run) -> tuple[str, ...]:
    """Return the generators that differ at the boundary and that the control draws from."""
    ours, theirs = control.facts.generators, resumed.facts.generators
    differing = _differing_at(_point(control), ours, theirs)
    return tuple(name for name in differing if _changes(name, ours, ours))


def _drawn_between(control: Run) -> tuple[str, ...]:
    """Return the generators that changed between the first step after the save and the next."""
    later = control.facts.generators.get(next_point(control.facts.schedule.boundary), {})
    then = control.after_boundary or {}
    return tuple(
        name for name, state in later.items() if name in then and digest(then[name].value) != state
    )


def _point(control: Run) -> str:
    return boundary_point(control.facts.schedule.boundary)


def _differing_at(point: str, control: Recorded, resumed: Recorded) -> dict[str, tuple[Any, Any]]:
    ours, theirs = control.get(point, {}), resumed.get(point, {})
    return {
        name: (value, theirs[name])
        for name, value in ours.items()
        if name in theirs and repr(theirs[name]) != repr(value)
    }


def _changes(name: str, values: Recorded, points: Iterable[str]) -> bool:
    seen = [values[point] for point in points if point in values]
    return len({repr(each[name]) for each in seen if name in each}) > 1
