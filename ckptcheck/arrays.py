"""Arrays compared: bit for bit, as numbers, and as evidence."""

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def differing(control: Array, resumed: Array, equal_nan: bool = False) -> Array:
    """Return a boolean array of the elements' shape: where two arrays of one dtype and shape differ in any bit."""
    if control.dtype.kind == "c":  # a NaN in one part says nothing of the other
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
    """Return the bits of each element, as whole numbers: one, or where none is so wide several, for each row."""
    width = max(1, value.dtype.itemsize)
    unit = next(unit for unit in (8, 4, 2, 1) if width % unit == 0)
    return np.ascontiguousarray(value).reshape(-1).view(f"u{unit}").reshape(-1, width // unit)


def same(control: Array, resumed: Array, equal_nan: bool = False) -> bool:
    """Return whether two arrays are equal bit for bit, dtype and shape included."""
    is_comparable = control.dtype == resumed.dtype and control.shape == resumed.shape
    return is_comparable and not differing(control, resumed, equal_nan).any()


def is_telling(value: Array) -> bool:
    """Return whether a value is hardly there by chance: not a whole number, and not one number all over."""
    if value.size == 1 and value.dtype.kind == "f":
        return not float(value.reshape(-1)[0]).is_integer()
    return bool(value.size > 1 and (value != value.reshape(-1)[0]).any())


def norm(value: Array) -> float:
    """Return the Euclidean norm over all elements, in float64; NaN where they are no numbers."""
    if not is_number(value.dtype):
        return math.nan
    with np.errstate(over="ignore"):  # then it is infinite
        return float(np.linalg.norm(as_float(value)))


def largest_difference(control: Array, resumed: Array) -> float:
    """Return the largest absolute difference between elements of two arrays of one shape; NaN where they are no numbers."""
    if not is_number(control.dtype):
        return math.nan
    with np.errstate(invalid="ignore", over="ignore"):
        return float(np.max(np.abs(as_float(control) - as_float(resumed)), initial=0.0))


def nan_and_infinite(value: Array, finite: Array) -> tuple[int, int]:
    """Return the numbers of elements that are NaN, and infinite, of an array and of which of its elements are finite."""
    nan = int(np.count_nonzero(np.isnan(value)))
    return nan, int(value.size - np.count_nonzero(finite)) - nan


def count_not_finite(value: Array) -> int:
    """Return the number of elements that are NaN or infinite."""
    return int(value.size - np.isfinite(value).sum()) if may_be_nan(value.dtype) else 0


def is_number(dtype: np.dtype[Any]) -> bool:
    """Return whether elements can be subtracted from each other."""
    return dtype.kind in "biufc" or (dtype.kind == "V" and dtype.type is not np.void)


def is_inexact(dtype: np.dtype[Any]) -> bool:
    """Return whether values of a dtype are rounded."""
    # bfloat16 and the float8s of ml_dtypes are of kind V, as raw bytes are.
    return dtype.kind == "f" or "float" in dtype.name


def may_be_nan(dtype: np.dtype[Any]) -> bool:
    """Return whether elements can be NaN or infinite: rounded numbers, and complex ones."""
    return is_inexact(dtype) or dtype.kind == "c"


def as_float(value: Array) -> Array:
    """Return an array's elements in one row, as float64; complex ones as they are."""
    return (value if value.dtype.kind == "c" else value.astype(np.float64)).reshape(-1)


def dtype_of(name: str) -> np.dtype[Any]:
    """Return the dtype of that name, those of ml_dtypes included."""
    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes  # bfloat16 and the float8s, known to NumPy only through this package, which takes its time

        dtype: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        return dtype
