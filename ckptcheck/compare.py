"""Two runs become one comparison: control and resumed side by side, as tables. It holds no opinion.

Equal means equal bit for bit: dtype, shape and every byte. 0.0 and -0.0 differ. NaN equals NaN only on request.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ckptcheck.job import Tensor
from ckptcheck.run import Run, Snapshot, digest

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
    "elements",
    "differing",  # elements whose bits differ; all of them where dtype or shape differ
    "max_abs_diff",
    "control_norm",  # Euclidean, over all elements, in float64
    "resumed_norm",
    "equals",  # what a differing resumed value equals instead: initial, zero, tensor, or empty
    "equals_name",  # the control's tensor it equals
    "asked",  # whether the restore asked for it; None where the adapter does not know
    "held",  # whether the checkpoint holds its key
    "poisoned",  # whether the value before the restore differed from the control's at the boundary
)
LOSS_COLUMNS = (
    "control_step",
    "resumed_step",
    "control_loss",
    "resumed_loss",
    "diff",
    "equal",
    "control_batch",  # digests; None where the job shows no batch
    "resumed_batch",
    "batch_equal",
    "control_rate",  # None where the job shows no learning rate
    "resumed_rate",
    "rate_equal",
)
EVALUATION_COLUMNS = ("steps_done", "control_loss", "resumed_loss", "diff", "equal")


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

    def at(self, point: str) -> pd.DataFrame:
        """Return the tensors at one point."""
        return self.tensors[self.tensors["point"] == point]

    @property
    def exact(self) -> bool:
        """Whether everything that was compared is equal, bit for bit."""
        return bool(
            self.tensors["equal"].all()
            and self.evaluations["equal"].all()
            and self.losses[["equal", "batch_equal", "rate_equal"]].all(axis=None)
            and self.first_step[0] == self.first_step[1]
        )


def compare(control: Run, resumed: Run, *, equal_nan: bool = False) -> Comparison:
    """Compare a resumed run with its control, at the boundary and from there to the end.

    With `equal_nan`, two NaNs at the same place count as equal, whatever their bits.
    """
    boundary = control.facts.schedule.boundary
    return Comparison(
        tensors=pd.DataFrame(
            [
                *_tensors("boundary", control.boundary, resumed.boundary, control, resumed, equal_nan),
                *_tensors("final", control.final, resumed.final, control, resumed, equal_nan),
            ],
            columns=list(TENSOR_COLUMNS),
        ),
        losses=_losses(control, resumed, equal_nan),
        evaluations=_evaluations(control, resumed, equal_nan),
        first_step=(boundary, resumed.facts.first_step),
        steps_after=len(control.steps) - boundary,
        never_moved=_never_moved(control),
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
    if _is_inexact(control.dtype):
        left_nan, right_nan = np.isnan(control), np.isnan(resumed)
        found = found & ~(left_nan & right_nan) if equal_nan else found | left_nan | right_nan
    return found


def same(control: Array, resumed: Array, equal_nan: bool = False) -> bool:
    """Return whether two arrays are equal bit for bit, dtype and shape included."""
    if control.dtype != resumed.dtype or control.shape != resumed.shape:
        return False
    return not differing(control, resumed, equal_nan).any()


def _is_inexact(dtype: np.dtype[Any]) -> bool:
    # bfloat16 and the float8s of ml_dtypes are of kind V, as raw bytes are.
    return dtype.kind == "f" or "float" in dtype.name


def _tensors(
    point: str, control: Snapshot, resumed: Snapshot, whole: Run, come_back: Run, equal_nan: bool
) -> list[dict[str, Any]]:
    values = {digest(tensor.value): name for name, tensor in control.items() if tensor.value.size > 1}
    initial = come_back.initial
    rows = []
    for name in dict.fromkeys([*control, *resumed]):
        row = {"point": point, "name": name} | _sides(control.get(name), resumed.get(name), equal_nan)
        row |= dict.fromkeys(("equals", "equals_name"), "")
        if not row["equal"] and name in resumed:
            row |= _equals(resumed[name].value, initial.get(name), values)
        row |= _keys(name, come_back)
        before = whole.boundary.get(name)
        # A NaN is no proof of a difference, whatever NaN is to count for elsewhere.
        row["poisoned"] = (
            name in initial and before is not None and not same(before.value, initial[name].value, equal_nan=True)
        )
        rows.append(row)
    return rows


def _sides(control: Tensor | None, resumed: Tensor | None, equal_nan: bool) -> dict[str, Any]:
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
        count = int(differing(control.value, resumed.value, equal_nan).sum())
        row |= {"differing": count, "max_abs_diff": _largest(control.value, resumed.value), "equal": count == 0}
    else:
        row |= {"differing": known.value.size, "max_abs_diff": math.nan, "equal": False}
    return row


def _equals(value: Array, initial: Tensor | None, values: Mapping[str, str]) -> dict[str, str]:
    """Say what a value that is not the control's equals instead."""
    if initial is not None and same(initial.value, value):
        return {"equals": "initial"}
    if value.size and not np.ascontiguousarray(value).reshape(-1).view(np.uint8).any():
        return {"equals": "zero"}
    other = values.get(digest(value))
    return {"equals": "tensor", "equals_name": other} if other else {}


def _keys(name: str, resumed: Run) -> dict[str, bool | None]:
    asked, held = resumed.facts.asked, resumed.facts.held
    key = name if asked is None else asked.get(name, name)
    return {"asked": None if asked is None else name in asked, "held": None if held is None else key in held}


def _dtype(dtype: np.dtype[Any]) -> str:
    return dtype.name if dtype.isnative else f"{dtype.name} in the other byte order"


def _norm(value: Array) -> float:
    if not _is_number(value.dtype):
        return math.nan
    with np.errstate(over="ignore"):  # then it is infinite
        return float(np.linalg.norm(_as_float(value)))


def _largest(control: Array, resumed: Array) -> float:
    if not _is_number(control.dtype):
        return math.nan
    with np.errstate(invalid="ignore", over="ignore"):
        return float(np.max(np.abs(_as_float(control) - _as_float(resumed)), initial=0.0))


def _is_number(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "biufc" or (dtype.kind == "V" and dtype.type is not np.void)


def _as_float(value: Array) -> Array:
    return (value if value.dtype.kind == "c" else value.astype(np.float64)).reshape(-1)


def _losses(control: Run, resumed: Run, equal_nan: bool) -> pd.DataFrame:
    start = control.facts.schedule.boundary
    rows = []
    for index, (control_step, resumed_step) in enumerate(zip(control.steps[start:], resumed.steps, strict=False)):
        whole = start + index
        row: dict[str, Any] = {"control_step": control_step, "resumed_step": resumed_step}
        row |= _pair(control.losses[whole], resumed.losses[index], equal_nan)
        row |= {"control_batch": control.batches[whole], "resumed_batch": resumed.batches[index]}
        row["batch_equal"] = control.batches[whole] == resumed.batches[index]
        row |= {"control_rate": control.rates[whole], "resumed_rate": resumed.rates[index]}
        row["rate_equal"] = _same_rate(control.rates[whole], resumed.rates[index])
        rows.append(row)
    return pd.DataFrame(rows, columns=list(LOSS_COLUMNS))


def _same_rate(control: float | None, resumed: float | None) -> bool:
    if control is None or resumed is None:
        return control is resumed
    return same(np.array(control), np.array(resumed), equal_nan=True)


def _evaluations(control: Run, resumed: Run, equal_nan: bool) -> pd.DataFrame:
    found = dict(resumed.facts.evaluations)
    rows = [
        {"steps_done": done} | _pair(loss, found.get(done, math.nan), equal_nan)
        for done, loss in control.facts.evaluations
        if done >= control.facts.schedule.boundary
    ]
    return pd.DataFrame(rows, columns=list(EVALUATION_COLUMNS))


def _pair(control: float, resumed: float, equal_nan: bool) -> dict[str, Any]:
    return {
        "control_loss": control,
        "resumed_loss": resumed,
        "diff": resumed - control,
        "equal": same(np.array(control), np.array(resumed), equal_nan),
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
