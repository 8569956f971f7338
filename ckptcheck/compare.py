"""Two runs become one comparison: control and resumed side by side, as tables. It holds no opinion.

Identical means identical bit for bit: dtype, shape and every byte. 0.0 and -0.0 differ. NaN equals NaN only on request.
Equal means the same, unless somebody asked for a tolerance, or the job was found not to reproduce itself.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ckptcheck.job import Kind, Tensor
from ckptcheck.run import Run, Snapshot, digest
from ckptcheck.tolerance import EXACT, Tolerance, as_float, is_inexact

Array = np.ndarray[Any, Any]

TENSOR_COLUMNS = (
    "point",  # boundary or final
    "name",
    "kind",
    "control_dtype",
    "resumed_dtype",
    "control_shape",
    "resumed_shape",
    "equal",
    "identical",
    "late",  # whether it came to be in the first step after the boundary, and is compared after that step
    "elements",
    "differing",  # elements whose bits differ; all of them where dtype or shape differ
    "max_abs_diff",
    "control_norm",  # Euclidean, over all elements, in float64
    "resumed_norm",
    "equals",  # what a differing resumed value equals instead: initial, zero, tensor, anew (made in the first step), or empty
    "equals_name",  # the control's tensor it equals
    "asked",  # whether the restore asked for it; None where the adapter does not know
    "held",  # whether the checkpoint holds its key, or else its value; None where neither can be known
    "poisoned",  # whether the value before the restore differed from the control's at the boundary
)
LOSS_COLUMNS = (
    "control_step",
    "resumed_step",
    "control_loss",
    "resumed_loss",
    "diff",
    "equal",
    "identical",
    "control_batch",  # digests; None where the job shows no batch
    "resumed_batch",
    "batch_equal",
    "control_rate",  # None where the job shows no learning rate
    "resumed_rate",
    "rate_equal",
)
EVALUATION_COLUMNS = ("steps_done", "control_loss", "resumed_loss", "diff", "equal", "identical")


@dataclass(frozen=True)
class Comparison:
    """Control and resumed side by side. The columns are listed at the head of this file.

    `tensors` has a row per tensor and point, `losses` one per step after the boundary (the first executed step of the
    resumed run beside the first of the control after its save, and so on), `evaluations` one per evaluation.
    """

    tensors: pd.DataFrame
    losses: pd.DataFrame
    evaluations: pd.DataFrame
    first_step: tuple[int, int | None]
    # Steps of the control after the boundary; as many were to be compared.
    steps_after: int
    # Tensors of the control that had the same value at every point of its run.
    never_moved: tuple[str, ...]
    # The control's step whose batch the resumed run reads first, where that is another step than it should be.
    first_batch_of: int | None = None

    def at(self, point: str) -> pd.DataFrame:
        """Return the tensors at one point."""
        return self.tensors[self.tensors["point"] == point]

    @property
    def exact(self) -> bool:
        """Whether everything that was compared is identical, bit for bit."""
        return self._all("identical")

    @property
    def equal(self) -> bool:
        """Whether everything that was compared is equal, within what was asked for."""
        return self._all("equal")

    @property
    def equal_at_boundary(self) -> bool:
        """Whether every tensor at the boundary is equal, and the first step is the control's next one."""
        return bool(self.at("boundary")["equal"].all()) and self.first_step[0] == self.first_step[1]

    def within(self, training_loss: float, evaluation_loss: float, final: Mapping[str, float], margin: float) -> "Comparison":
        """Return the comparison with what is after the boundary equal where it is no further apart than the job's noise.

        Tensors at the boundary, batches, learning rates and steps are not touched. The evaluation at the boundary is: it
        is a sum over a data set, which a machine may take in another order.
        """
        tensors, losses, evaluations = self.tensors.copy(), self.losses.copy(), self.evaluations.copy()
        allowed = tensors["name"].map(lambda name: margin * final.get(name, 0.0))
        tensors["equal"] |= (tensors["point"] == "final") & (tensors["max_abs_diff"] <= allowed)
        losses["equal"] |= losses["diff"].abs() <= training_loss
        evaluations["equal"] |= evaluations["diff"].abs() <= evaluation_loss
        return replace(self, tensors=tensors, losses=losses, evaluations=evaluations)

    def _all(self, column: str) -> bool:
        return bool(
            self.tensors[column].all()
            and self.evaluations[column].all()
            and self.losses[[column, "batch_equal", "rate_equal"]].all(axis=None)
            and self.first_step[0] == self.first_step[1]
        )


def compare(control: Run, resumed: Run, tolerance: Tolerance = EXACT) -> Comparison:
    """Compare a resumed run with its control, at the boundary and from there to the end."""
    boundary = control.facts.schedule.boundary
    at_boundary = [(name, *pair, False) for name, pair in _pairs(control.boundary, resumed.boundary).items()]
    if control.after_boundary and resumed.after_boundary:
        at_boundary = _with_late(at_boundary, control.after_boundary, resumed.after_boundary)
    finals = [(name, *pair, False) for name, pair in _pairs(control.final, resumed.final).items()]
    return Comparison(
        tensors=pd.DataFrame(
            [
                *_tensors("boundary", at_boundary, control, resumed, tolerance),
                *_tensors("final", finals, control, resumed, tolerance),
            ],
            columns=list(TENSOR_COLUMNS),
        ),
        losses=_losses(control, resumed, tolerance),
        evaluations=_evaluations(control, resumed, tolerance),
        first_step=(boundary, resumed.facts.first_step),
        steps_after=len(control.steps) - control.position,
        never_moved=_never_moved(control),
        first_batch_of=_first_batch_of(control, resumed),
    )


def differing(control: Array, resumed: Array, equal_nan: bool = False) -> Array:
    """Return a boolean array of the elements' shape: where two arrays of one dtype and shape differ in any bit."""
    width = max(1, control.dtype.itemsize)
    left, right = (np.ascontiguousarray(array).reshape(-1).view(np.uint8).reshape(-1, width) for array in (control, resumed))
    found: Array = (left != right).any(axis=1).reshape(control.shape)
    if control.dtype.kind == "c":  # a NaN in one part says nothing of the other
        left, right = (np.stack([array.real, array.imag], axis=-1) for array in (control, resumed))
        apart: Array = np.asarray(differing(left, right, equal_nan).any(axis=-1))
        return apart
    if is_inexact(control.dtype):
        left_nan, right_nan = np.isnan(control), np.isnan(resumed)
        found = found & ~(left_nan & right_nan) if equal_nan else found | left_nan | right_nan
    return found


def same(control: Array, resumed: Array, equal_nan: bool = False) -> bool:
    """Return whether two arrays are equal bit for bit, dtype and shape included."""
    if control.dtype != resumed.dtype or control.shape != resumed.shape:
        return False
    return not differing(control, resumed, equal_nan).any()


# A tensor's name, its value in the control and in the resumed run (None: not held there), and whether it came late.
_Pair = tuple[str, Tensor | None, Tensor | None, bool]


def _pairs(control: Snapshot, resumed: Snapshot) -> dict[str, tuple[Tensor | None, Tensor | None]]:
    return {name: (control.get(name), resumed.get(name)) for name in dict.fromkeys([*control, *resumed])}


def _with_late(pairs: list[_Pair], control: Snapshot, resumed: Snapshot) -> list[_Pair]:
    """Take tensors that the resumed run makes, and restores, only in its first step as they are after that step."""
    return [
        (name, control[name], resumed[name], True) if theirs is None and name in control and name in resumed else pair
        for pair in pairs
        for name, _, theirs, _ in [pair]
    ]


def _tensors(point: str, pairs: Sequence[_Pair], control: Run, resumed: Run, tolerance: Tolerance) -> list[dict[str, Any]]:
    values = {digest(ours.value): name for name, ours, _, _ in pairs if ours and ours.value.size > 1}
    initial = resumed.initial
    rows = []
    for name, ours, theirs, late in pairs:
        row = {"point": point, "name": name, "late": late} | _sides(ours, theirs, tolerance)
        row |= dict.fromkeys(("equals", "equals_name"), "")
        if not row["equal"] and theirs:
            row |= {"equals": "anew"} if late else _equals(theirs.value, initial.get(name, control.initial.get(name)), values)
        is_new = row["equals"] in ("initial", "zero", "anew") or row["kind"] == Kind.RNG.value
        row |= _keys(name, control.boundary.get(name) if is_new else None, resumed)
        row["poisoned"] = _is_poisoned(name, control, resumed)
        rows.append(row)
    return rows


def _is_poisoned(name: str, control: Run, resumed: Run) -> bool:
    """Return whether a tensor can show that the restore did something: whether it was another one before.

    One that did not exist before cannot have had the control's value but by the restore, if that is not its initial one; of
    one that neither process began with, a value that no initialiser gives says as much.
    """
    wanted = control.boundary.get(name)
    before = resumed.initial.get(name, control.initial.get(name))
    if wanted is None:
        return False
    if before is None:
        return _is_telling(wanted.value)
    # A NaN is no proof of a difference, whatever NaN is to count for elsewhere.
    return not same(wanted.value, before.value, equal_nan=True)


def _is_telling(value: Array) -> bool:
    """Return whether a value is hardly there by chance: not a whole number, and not one number all over."""
    if value.size == 1 and value.dtype.kind == "f":
        return not float(value.reshape(-1)[0]).is_integer()
    return bool(value.size > 1 and (value != value.reshape(-1)[0]).any())


def _sides(control: Tensor | None, resumed: Tensor | None, tolerance: Tolerance) -> dict[str, Any]:
    """Describe both values of one tensor; None: that process does not hold it."""
    known = control or resumed
    assert known is not None
    row: dict[str, Any] = {"kind": known.kind.value, "elements": known.value.size}
    for side, tensor in (("control", control), ("resumed", resumed)):
        row[f"{side}_dtype"] = _dtype(tensor.value.dtype) if tensor else ""
        row[f"{side}_shape"] = str(tensor.value.shape) if tensor else ""
        row[f"{side}_norm"] = _norm(tensor.value) if tensor else math.nan
    comparable = control and resumed and control.value.dtype == resumed.value.dtype
    if control and resumed and comparable and control.value.shape == resumed.value.shape:
        count = int(differing(control.value, resumed.value, tolerance.equal_nan).sum())
        row |= {"differing": count, "max_abs_diff": largest_difference(control.value, resumed.value), "identical": count == 0}
        row["equal"] = count == 0 or tolerance.allows(control.value, resumed.value)
    else:
        row |= {"differing": known.value.size, "max_abs_diff": math.nan, "identical": False, "equal": False}
    return row


def _equals(value: Array, initial: Tensor | None, values: Mapping[str, str]) -> dict[str, str]:
    """Say what a value that is not the control's equals instead."""
    if initial is not None and same(initial.value, value):
        return {"equals": "initial"}
    if value.size and not np.ascontiguousarray(value).reshape(-1).view(np.uint8).any():
        return {"equals": "zero"}
    other = values.get(digest(value))
    return {"equals": "tensor", "equals_name": other} if other else {}


def _keys(name: str, lost: Tensor | None, resumed: Run) -> dict[str, bool | None]:
    """Say whether the restore asked for a tensor, and whether the checkpoint holds it: by its key, or else, where the resumed
    run has a value of its own making instead of it, by the value that was lost.
    """
    facts = resumed.facts
    asked = None if facts.asked is None else name in facts.asked
    key = name if facts.asked is None else facts.asked.get(name, name)
    held = None if facts.held is None else key in facts.held
    if not asked and not held and facts.values is not None and lost is not None:
        held = digest(lost.value) in facts.values if lost.value.size > 1 and _is_telling(lost.value) else held
    return {"asked": asked, "held": held}


def _dtype(dtype: np.dtype[Any]) -> str:
    return dtype.name if dtype.isnative else f"{dtype.name} in the other byte order"


def _norm(value: Array) -> float:
    if not _is_number(value.dtype):
        return math.nan
    with np.errstate(over="ignore"):  # then it is infinite
        return float(np.linalg.norm(as_float(value)))


def largest_difference(control: Array, resumed: Array) -> float:
    """Return the largest absolute difference between elements of two arrays of one shape; NaN where they are no numbers."""
    if not _is_number(control.dtype):
        return math.nan
    with np.errstate(invalid="ignore", over="ignore"):
        return float(np.max(np.abs(as_float(control) - as_float(resumed)), initial=0.0))


def _is_number(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "biufc" or (dtype.kind == "V" and dtype.type is not np.void)


def _first_batch_of(control: Run, resumed: Run) -> int | None:
    """Return the control's step whose batch the resumed run reads first, if it is another step and just one."""
    start = control.position
    first = resumed.batches[0] if resumed.batches else None
    if first is None or (start < len(control.batches) and control.batches[start] == first):
        return None
    found = [step for step, batch in zip(control.steps, control.batches, strict=True) if batch == first]
    return found[0] if len(found) == 1 else None


def _losses(control: Run, resumed: Run, tolerance: Tolerance) -> pd.DataFrame:
    start = control.position
    rows = []
    for index, (control_step, resumed_step) in enumerate(zip(control.steps[start:], resumed.steps, strict=False)):
        whole = start + index
        row: dict[str, Any] = {"control_step": control_step, "resumed_step": resumed_step}
        row |= _pair(control.losses[whole], resumed.losses[index], tolerance)
        row |= {"control_batch": control.batches[whole], "resumed_batch": resumed.batches[index]}
        row["batch_equal"] = control.batches[whole] == resumed.batches[index]
        row |= {"control_rate": control.rates[whole], "resumed_rate": resumed.rates[index]}
        row["rate_equal"] = _same_rate(control.rates[whole], resumed.rates[index], tolerance)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(LOSS_COLUMNS))


def _same_rate(control: float | None, resumed: float | None, tolerance: Tolerance) -> bool:
    if control is None or resumed is None:
        return control is resumed
    ours, theirs = np.array(control), np.array(resumed)
    return same(ours, theirs, equal_nan=True) or tolerance.allows(ours, theirs)


def _evaluations(control: Run, resumed: Run, tolerance: Tolerance) -> pd.DataFrame:
    found = dict(resumed.facts.evaluations)
    rows = [
        {"steps_done": done} | _pair(loss, found.get(done, math.nan), tolerance)
        for done, loss in control.facts.evaluations
        if done >= control.facts.schedule.boundary
    ]
    return pd.DataFrame(rows, columns=list(EVALUATION_COLUMNS))


def _pair(control: float, resumed: float, tolerance: Tolerance) -> dict[str, Any]:
    ours, theirs = np.array(control), np.array(resumed)
    identical = same(ours, theirs, tolerance.equal_nan)
    return {
        "control_loss": control,
        "resumed_loss": resumed,
        "diff": resumed - control,
        "equal": identical or tolerance.allows(ours, theirs),
        "identical": identical,
    }


def _never_moved(control: Run) -> tuple[str, ...]:
    return tuple(
        name
        for name, tensor in control.initial.items()
        if all(
            name in later and same(tensor.value, later[name].value, equal_nan=True)
            for later in (control.boundary, control.final)
        )
    )
