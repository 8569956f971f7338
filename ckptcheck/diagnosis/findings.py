"""A comparison as the rules see it: each sees only what the rules before it left open."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ckptcheck.comparison.comparison import Comparison, TensorComparison
from ckptcheck.comparison.value_origin import ANEW, FRESH, INITIAL, OWN
from ckptcheck.counts import filled
from ckptcheck.diagnosis.catalogue import CAUSES
from ckptcheck.diagnosis.cause import (
    AT_ONCE,
    FIRST_STEP,
    FIRST_UPDATE,
    STARTS,
    Diagnosis,
    Stage,
    Start,
    earliest,
    names_of,
)
from ckptcheck.kinds import Kind

# Lost tensors of these kinds change no gradient of the first step, so no slot that it creates.
_CHANGES_NO_GRADIENT = (
    Kind.SLOT,
    Kind.SHADOW,
    Kind.COUNTER,
    Kind.METRIC,
    Kind.HYPERPARAMETER,
    Kind.PYTHON,
)

# Where tensors start to act that the first step creates: no batch of it reads their counter.
_OF_LATE = {**STARTS, Kind.COUNTER: FIRST_UPDATE}


@dataclass(frozen=True)
class Findings:
    """A comparison, and the diagnoses found in it so far."""

    comparison: Comparison
    found: tuple[Diagnosis, ...] = ()
    # Tensors of accepted causes. Consequences of these causes are still diagnosed.
    covered: frozenset[str] = frozenset()

    def and_found(self, more: Iterable[Diagnosis]) -> "Findings":
        """Return the findings with further diagnoses, for the next rule."""
        more = tuple(more)
        return replace(self, found=(*self.found, *more)) if more else self

    def has(self, *causes: str) -> bool:
        """Return whether any of these causes has been found."""
        unknown = set(causes) - set(CAUSES)
        if unknown:
            raise KeyError(f"unknown cause: {', '.join(sorted(unknown))}")
        return bool(names_of(self.found) & set(causes))

    def tensors_of(self, *causes: str) -> frozenset[str]:
        """Return the tensors of these causes, as far as they have been found."""
        return frozenset(
            name for found in self.found if found.cause in causes for name in found.tensors
        )

    @cached_property
    def boundary(self) -> tuple[TensorComparison, ...]:
        """All tensors at the boundary."""
        return self.comparison.boundary

    @cached_property
    def explained(self) -> frozenset[str]:
        """The names of the tensors that a diagnosis so far is about."""
        return self.covered.union(*(diagnosis.tensors for diagnosis in self.found))

    @cached_property
    def open(self) -> tuple[TensorComparison, ...]:
        """The tensors that differ at the boundary, with no diagnosis so far."""
        return tuple(
            row for row in self.boundary if not row.equal and row.name not in self.explained
        )

    def of_kind(self, *kinds: Kind) -> list[TensorComparison]:
        """Return the tensors of some kinds, equal or not."""
        return [row for row in self.boundary if row.kind in kinds]

    def open_of(self, *kinds: Kind) -> list[TensorComparison]:
        """Return the open tensors of some kinds that have the control's dtype and shape."""
        return [row for row in self.open if row.kind in kinds and row.same_form]

    @cached_property
    def poisoned(self) -> list[TensorComparison]:
        """The tensors that can prove that the restore had an effect."""
        return [row for row in self.boundary if row.poisoned]

    @cached_property
    def nothing_left(self) -> bool:
        """Whether no tensor proves a restore: all initial, or overwritten by an initialiser."""
        moved = self.poisoned
        if moved and all(row.saved_so and row.asked for row in moved):
            return False  # the saved state was restored; the save saved a different one
        # What the first step created is as new as the rest, if the rest is.
        began = any(row.origin.what in (INITIAL, FRESH) for row in moved)
        made = (INITIAL, FRESH, ANEW) if began else ()
        initial = [row.origin.what in made for row in moved]
        overwritten = stage_of_all(moved) is Stage.OVERWRITTEN_AFTER_LOAD and not any(
            row.equal for row in moved
        )
        return all(initial) or (overwritten and any(initial))

    def is_own(self, row: TensorComparison) -> bool:
        """Return whether a tensor has a value that the new process made itself.

        A tensor created in the first step may differ because that step differs. It counts if a
        restore makes all state before it, the restore did not ask for it, the checkpoint does not
        hold it, or the step equals the control's.
        """
        if row.origin.what not in OWN:
            return False
        return (
            row.origin.what != ANEW
            or self.comparison.restores_at_once
            or row.asked is False
            or row.held is False
            or not self.first_step_differs
            or self._count_is_new(row)
        )

    def _count_is_new(self, row: TensorComparison) -> bool:
        """Return whether the count that belongs to optimizer state was not restored, either.

        No step changes what a count says of those before it.
        """
        owners = _owners(row.name)
        return any(
            each.kind is Kind.COUNTER
            and not each.equal
            and each.origin.what in OWN
            and _owners(each.name) & owners
            for each in self.boundary
        )

    def is_overwritten(self, row: TensorComparison) -> bool:
        """Return whether a tensor has an unknown value, although its loss is no question.

        Either the checkpoint does not hold it, or it holds the control's value, and something else
        set the tensor.
        """
        known = row.held is False or (row.saved_so is False and row.held)
        return row.origin.what == "" and bool(known)

    @cached_property
    def first_step_differs(self) -> bool:
        """Whether anything in the first step differs from the control, except optimizer state."""
        left_out = {name for names in self.comparison.left_out.values() for name in names}
        # Not the rate: slots of most optimizers do not depend on it, and it follows a lost counter.
        same_inputs = all(
            step.batch_equal and step.draws_equal for step in self.comparison.steps[:1]
        )
        return not same_inputs or any(
            not (row.equal and row.name not in left_out)
            and not row.late
            and row.kind not in _CHANGES_NO_GRADIENT
            for row in self.boundary
        )

    @property
    def counters_equal(self) -> bool:
        """Whether every counter is equal."""
        return all(row.equal for row in self.of_kind(Kind.COUNTER))

    @cached_property
    def steps_off(self) -> set[int]:
        """The numbers of steps by which differing counters and the first step are off."""
        control, resumed = self.comparison.first_step
        first = 0 if resumed is None else resumed - control
        return {
            first,
            *(off for row in self.of_kind(Kind.COUNTER) if (off := counted_off(row)) is not None),
        } - {0}

    @property
    def earliest(self) -> Start:
        """Where the earliest of all recorded differences starts to act."""
        comparison = self.comparison
        if not comparison.same_first_step or not all(
            row.identical or row.late for row in self.boundary
        ):
            return AT_ONCE
        starts: list[Start] = []
        for place, step in enumerate(comparison.steps):
            if not (step.batch_equal and step.draws_equal and step.hyperparameters_equal):
                starts.append(Start(place, place + 1))
            if not step.rate_equal:  # the rate acts on the update, after the loss of the step
                starts.append(Start(place + 1, place + 1))
        starts += [FIRST_STEP] if self.has("mode-differs") else []
        # Restored slots of an optimizer that no longer trains.
        starts += [FIRST_UPDATE] if self.has("slots-lost") else []
        # The validation data may differ, too.
        starts += [Start(math.inf, 0)] if self.has("batches-differ") else []
        starts += [Start(math.inf, 1)] if self.has("statistics-restarted") else []
        late = [row.kind for row in self.boundary if row.late and not row.identical]
        starts += [_OF_LATE.get(kind, AT_ONCE) for kind in late]
        return earliest(starts)


Rule = Callable[[Findings], Iterator[Diagnosis]]


def counted_off(row: TensorComparison) -> int | None:
    """Return by how many steps the resumed counter is off; None: it is not a single number."""
    control, resumed = as_number(row.control_number), as_number(row.resumed_number)
    return None if control is None or resumed is None else round(resumed - control)


def as_number(text: str) -> float | None:
    """Return the value of a single number in a comparison; None: not a number, or not finite."""
    try:
        value = float(text)
    except ValueError:  # "", "True" or "False"
        return None
    return value if math.isfinite(value) else None


def both_values(row: TensorComparison) -> str:
    """Return both values of a tensor in words: numbers, norms, or only that they differ."""
    if row.control_number and row.resumed_number:
        values = f"is {row.resumed_number} instead of the control's {row.control_number}"
    elif math.isnan(row.control_norm):
        values = "differs from the control's"
    else:
        values = f"has norm {row.resumed_norm:.9g} instead of the control's {row.control_norm:.9g}"
    return f"{row.name} {values}"


def attributes(comparison: Comparison) -> list[str]:
    """Return both values, in words, of each number in Python objects that differs."""
    return [
        f"{name} is {resumed:g} instead of the control's {control:g}"
        for name, (control, resumed) in comparison.attributes.items()
    ]


def _owners(name: str) -> set[str]:
    """Return what a tensor belongs to by its name: an optimizer, or one parameter of it."""
    return {name.partition("/")[0], name.rpartition("/")[0]} - {"", name}


def some(values: Sequence[str], most: int) -> str:
    """List the first values, and count the rest."""
    return "; ".join(values[:most]) + (
        f"; and {len(values) - most} more" if len(values) > most else ""
    )


def off_by(steps: int, nouns: str) -> str:
    """Say how many steps, or batches, a resumed run skips or repeats; `nouns`: "step|steps"."""
    what = "skipped" if steps > 0 else "repeated"
    return filled(f"{{count}} {{count:{nouns}}} {{count:is|are}} {what}", count=abs(steps))


def names(rows: Iterable[TensorComparison]) -> list[str]:
    """Return the names of tensors."""
    return [row.name for row in rows]


def by_stage(
    rows: Sequence[TensorComparison],
) -> Iterator[tuple[Stage | None, list[TensorComparison]]]:
    """Yield the tensors by the stage at which they were lost.

    Single numbers often show no stage: they were lost with the rest if that has one stage.
    """
    stages = [_stage(row) for row in rows]
    if len(known := set(stages) - {None}) == 1:
        (only,) = known
        stages = [only if row.elements == 1 else its for row, its in zip(rows, stages, strict=True)]
    for stage in dict.fromkeys(stages):
        yield stage, [row for row, its in zip(rows, stages, strict=True) if its is stage]


def stage_of_all(rows: Iterable[TensorComparison]) -> Stage | None:
    """Return the stage that all rows share, or None."""
    stages = {_stage(row) for row in rows}
    return stages.pop() if len(stages) == 1 else None


def _stage(row: TensorComparison) -> Stage | None:
    if row.held is None:
        return None
    if not row.held:
        return Stage.OMITTED_AT_SAVE
    if row.origin.what == ANEW:  # no saved value reached it
        return Stage.NOT_APPLIED_AT_LOAD
    if row.asked is None:
        return None
    if not row.asked:
        return Stage.NOT_APPLIED_AT_LOAD
    # A key proves no value: the save may have saved a different one.
    if row.saved_so:
        return Stage.OMITTED_AT_SAVE
    unknown = row.saved_so is None and row.origin.what in (*OWN, "")
    return None if unknown else Stage.OVERWRITTEN_AFTER_LOAD
