"""Compare arrays: bit for bit, as numbers, and as evidence."""

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# A number with at least so many significant digits was computed.
DIGITS_OF_COMPUTED = 6


def differing(control: Array, resumed: Array, equal_nan: bool = False) -> Array:
    """Return where two arrays of one dtype and shape differ in any bit, as a boolean array."""
    if control.dtype.kind == "c":  # a NaN in one part must not hide a difference in the other
        left, right = (np.stack([array.real, array.imag], axis=-1) for array in (control, resumed))
        return np.asarray(differing(left, right, equal_nan).any(axis=-1))
    left, right = _bits(control), _bits(resumed)
    unequal = left != right
    differs: Array = (unequal.any(axis=-1) if unequal.shape[-1] > 1 else unequal).reshape(
        control.shape
    )
    if is_inexact(control.dtype):
        left_nan, right_nan = np.isnan(control), np.isnan(resumed)
        differs = differs & ~(left_nan & right_nan) if equal_nan else differs | left_nan | right_nan
    return differs


def _bits(value: Array) -> Array:
    """Return the bits of each element as a row of unsigned integers, as few as possible."""
    width = max(1, value.dtype.itemsize)
    unit = next(unit for unit in (8, 4, 2, 1) if width % unit == 0)
    return np.ascontiguousarray(value).reshape(-1).view(f"u{unit}").reshape(-1, width // unit)


def same(control: Array, resumed: Array, equal_nan: bool = False) -> bool:
    """Return whether two arrays are equal bit for bit, dtype and shape included."""
    is_comparable = control.dtype == resumed.dtype and control.shape == resumed.shape
    return is_comparable and not differing(control, resumed, equal_nan).any()


def is_telling(value: Array) -> bool:
    """Return whether an equal value elsewhere is no coincidence: a fraction, or varied elements."""
    if value.size == 1 and value.dtype.kind == "f":
        return not float(value.reshape(-1)[0]).is_integer()
    return bool(value.size > 1 and (value != value.reshape(-1)[0]).any())


def is_computed(value: Array) -> bool:
    """Return whether an array was computed, not written down: so no other has its value by chance.

    A single number must have more digits than a person writes: 0.001 may stand in many places.
    """
    if value.size != 1:
        return is_telling(value)
    if value.dtype.kind != "f" or value.dtype.itemsize < 4:
        return False
    digits = np.format_float_scientific(value.reshape(-1)[0]).partition("e")[0]
    return sum(map(str.isdigit, digits)) >= DIGITS_OF_COMPUTED


def norm(value: Array) -> float:
    """Return the Euclidean norm of all elements, in float64; NaN where they are not numbers."""
    if not is_number(value.dtype):
        return math.nan
    with np.errstate(over="ignore"):  # an overflow gives infinity
        return float(np.linalg.norm(as_float(value)))


def largest_difference(control: Array, resumed: Array) -> float:
    """Return the largest absolute difference of two arrays of one shape; NaN for non-numbers."""
    if not is_number(control.dtype):
        return math.nan
    with np.errstate(invalid="ignore", over="ignore"):
        return float(np.max(np.abs(as_float(control) - as_float(resumed)), initial=0.0))


def nan_and_infinite(value: Array, finite: Array) -> tuple[int, int]:
    """Return how many elements are NaN and how many infinite, given which ones are finite."""
    nan = int(np.count_nonzero(np.isnan(value)))
    return nan, int(value.size - np.count_nonzero(finite)) - nan


def count_not_finite(control: Array | None, resumed: Array) -> int:
    """Return how many resumed elements are NaN or infinite where the control's are not the same.

    NaN never equals NaN: NaN of both arrays counts where they differ in nothing else.
    """
    if not may_be_nan(resumed.dtype):
        return 0
    unlike = ~np.isfinite(resumed)
    if control is not None and (control.dtype, control.shape) == (resumed.dtype, resumed.shape):
        differs = differing(control, resumed, equal_nan=True)
        unlike = unlike & differs if differs.any() else unlike & np.isnan(resumed)
    return int(unlike.sum())


def is_number(dtype: np.dtype[Any]) -> bool:
    """Return whether elements of a dtype can be subtracted from each other."""
    return dtype.kind in "biufc" or (dtype.kind == "V" and dtype.type is not np.void)


def is_inexact(dtype: np.dtype[Any]) -> bool:
    """Return whether values of a dtype are rounded: floating point."""
    # bfloat16 and the float8 types of ml_dtypes have kind V, like raw bytes.
    return dtype.kind == "f" or "float" in dtype.name


def may_be_nan(dtype: np.dtype[Any]) -> bool:
    """Return whether elements of a dtype can be NaN or infinite: floating point or complex."""
    return is_inexact(dtype) or dtype.kind == "c"


def as_float(value: Array) -> Array:
    """Return an array flattened, as float64; complex elements stay complex."""
    return (value if value.dtype.kind == "c" else value.astype(np.float64)).reshape(-1)


def dtype_of(name: str) -> np.dtype[Any]:
    """Return the dtype of that name, including those of ml_dtypes."""
    try:
        return np.dtype(name)
    except TypeError:
        # Teaches NumPy bfloat16 and the float8 types; the import is too slow for the top.
        import ml_dtypes

        dtype: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        return dtype
