"""What a resumed value equals instead of the control's: the look-up that separates most causes."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ckptcheck.arrays import (
    Array,
    as_float,
    dtype_of,
    is_computed,
    is_inexact,
    is_telling,
    largest_difference,
    same,
)
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from ckptcheck.run.digests import digest
from ckptcheck.run.run import Run

INITIAL = "initial"  # the control's initial value: a restart from the same seeds
FRESH = "fresh"  # the new process's own initial value
ZERO = "zero"
TENSOR = "tensor"  # the control's value of a different tensor
OLDER = "older"  # the control's value at an earlier save
NARROWER = "narrower"  # the control's value, rounded to a narrower dtype
ROUNDING = "rounding"  # the control's value except for the last few bits
FACTOR = "factor"  # the control's value times one number
ANEW = "anew"  # created in the first step, not restored

# Values that a process makes itself.
OWN = (INITIAL, FRESH, ZERO, ANEW)

# A difference of at most this many units in the last place of a tensor's largest element is
# rounding.
LAST_PLACES = 8

# From the widest to the narrowest: the first that fits claims the least.
_NARROWER = {
    "float64": ("float32", "float16", "bfloat16"),
    "float32": ("float16", "bfloat16"),
    "int64": ("float64", "float32"),
    "uint64": ("float64", "float32"),
    "int32": ("float32",),
}


@dataclass(frozen=True)
class Origin:
    """What a value equals: one of the words above, or nothing known.

    `name` is the different tensor or the narrower dtype. `value` is the factor between the two
    values, also where it alone proves no origin: any two single numbers have one. Of a tensor that
    was cast to a narrower dtype, it is the largest difference. `older` is the
    number of steps done at the latest earlier save with that value, even if the value has another
    origin, too: a tensor may have been at its initial value then.
    """

    what: str = ""
    name: str = ""
    value: float = math.nan
    older: int | None = None


class OriginLookup:
    """The known values that a resumed tensor may equal."""

    def __init__(self, control: Run, resumed: Run) -> None:
        self._started_as = (INITIAL, control.initial), (FRESH, resumed.initial)
        self._older = [(step, control.snapshot_at(step)) for step in control.earlier_saves]
        self._others: dict[str, list[str]] = {}
        self._saved = frozenset(resumed.facts.values or ())
        self._control, self._resumed = control.boundary, resumed.boundary
        self._times: Counter[str] = Counter()
        for name, tensor in control.boundary.items():
            self._times[digest(tensor.value)] += 1
            if tensor.value.size > 1 or is_computed(tensor.value):
                self._others.setdefault(digest(tensor.value), []).append(name)

    def of(self, name: str, control: Tensor | None, resumed: Tensor) -> Origin:
        """Return what a resumed tensor equals; `control` is the value that it should have."""
        origin = next(self._origins(name, control, resumed), Origin())
        return replace(origin, older=next(self._saved_before(name, resumed.value), None))

    def _saved_before(self, name: str, value: Array) -> Iterator[int]:
        return (
            step
            for step, snapshot in self._older
            if name in snapshot and same(snapshot[name].value, value)
        )

    def _origins(self, name: str, control: Tensor | None, resumed: Tensor) -> Iterator[Origin]:
        value = resumed.value
        for word, snapshot in self._started_as:
            if name in snapshot and same(snapshot[name].value, value):
                yield Origin(word)
        if value.size and not np.ascontiguousarray(value).reshape(-1).view(np.uint8).any():
            yield Origin(ZERO)
        others = [other for other in self._others.get(digest(value), ()) if other != name]
        # Many tensors may hold one number throughout; only a swap then proves an origin.
        if not is_computed(value):
            others = [other for other in others if self._has_value_of(other, control)]
        if others:
            yield Origin(
                TENSOR,
                min(others, key=lambda other: _distance(self._control[other].kind, resumed.kind)),
            )
        for _ in self._saved_before(name, value):
            yield Origin(OLDER)
        if control is not None and (control.value.dtype, control.value.shape) == (
            value.dtype,
            value.shape,
        ):
            yield from _arithmetic(control.value, value)
        elif control is not None and _is_cast_of(control.value, value):
            yield Origin(NARROWER, value.dtype.name, largest_difference(control.value, value))

    def is_held(self, value: Array) -> bool:
        """Return whether the checkpoint holds an array with that value."""
        return digest(value) in self._saved

    def is_saved(self, value: Array) -> bool:
        """Return whether the checkpoint holds that value, and not by chance; a count may be any."""
        return (is_computed(value) or value.dtype.kind in "iu") and self.is_held(value)

    def decides(self, value: Array) -> bool:
        """Return whether the digests show if the checkpoint holds a tensor with that value.

        The value is none by chance. If the checkpoint holds it, one tensor alone has it.
        """
        is_large = value.size == 1 and value.dtype.kind in "iu" and bool((value > 2).all())
        is_alone = self._times[digest(value)] < 2 or not self.is_held(value)
        return (is_computed(value) or is_large) and is_alone

    def _has_value_of(self, name: str, control: Tensor | None) -> bool:
        return (
            control is not None
            and name in self._resumed
            and same(self._resumed[name].value, control.value)
        )


def _distance(kind: Kind, own: Kind) -> int:
    """Return how unlikely it is that a tensor got its value from one of that kind."""
    partners = {kind, own} == {Kind.WEIGHT, Kind.SHADOW}
    return 0 if partners else 1 if kind is own else 2


def _arithmetic(control: Array, resumed: Array) -> Iterator[Origin]:
    for narrower in _NARROWER.get(control.dtype.name, ()):
        if _is_rounded_to(narrower, control, resumed):
            yield Origin(NARROWER, narrower)
    if (
        not is_inexact(control.dtype)
        or not np.isfinite(control).all()
        or not np.isfinite(resumed).all()
    ):
        return
    left, right = as_float(control), as_float(resumed)
    unit = resolution(control.dtype) * float(np.max(np.abs(left), initial=0.0))
    if float(np.max(np.abs(left - right), initial=0.0)) <= LAST_PLACES * unit:
        yield Origin(ROUNDING)
    factor = _factor(left, right, unit)
    if factor:
        proves = control.size > 1 and is_telling(control)
        yield Origin(FACTOR if proves else "", value=factor)


def _is_cast_of(control: Array, resumed: Array) -> bool:
    """Return whether a tensor was cast to a narrower dtype, and kept it."""
    if control.shape != resumed.shape or not resumed.size:
        return False
    if resumed.dtype.name not in _NARROWER.get(control.dtype.name, ()):
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return same(control.astype(resumed.dtype), resumed)


def _factor(control: Array, resumed: Array, unit: float) -> float:
    """Return the number times which the control's value is the resumed one, or 0."""
    squared = float(np.vdot(control, control).real)
    factor = float(np.vdot(control, resumed).real) / squared if squared else 0.0
    largest = float(np.max(np.abs(control * factor - resumed), initial=0.0))
    return factor if largest <= LAST_PLACES * unit * max(1.0, abs(factor)) else 0.0


def _is_rounded_to(narrower: str, control: Array, resumed: Array) -> bool:
    """Return whether the resumed value is the control's, rounded to the narrower dtype."""
    dtype = dtype_of(narrower)
    with np.errstate(over="ignore", invalid="ignore"):
        if not same(resumed.astype(dtype).astype(resumed.dtype), resumed):
            return False
        left, right = as_float(control), as_float(resumed)
        allowed = resolution(dtype) * np.abs(left) + _smallest(dtype)
        return bool((np.abs(left - right) <= allowed).all())


def resolution(dtype: np.dtype[Any]) -> float:
    """Return the distance from 1 to the next number of a floating dtype."""
    if dtype.name == "bfloat16":
        return 2.0**-7
    return float(np.finfo(dtype).eps) if dtype.kind in "fc" else 2.0**-3  # the float8s


def _smallest(dtype: np.dtype[Any]) -> float:
    return 2.0**-133 if dtype.name == "bfloat16" else float(np.finfo(dtype).smallest_subnormal)
