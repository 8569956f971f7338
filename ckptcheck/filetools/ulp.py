"""How many numbers of a floating-point type lie between two of them: units in the last place."""

from typing import Any

import ml_dtypes
import numpy as np

from ckptcheck.arrays import Array


def steps(left: Array, right: Array) -> "np.ndarray[Any, np.dtype[np.unsignedinteger[Any]]]":
    """Return how many steps to the next number of their type lead from each element to the other array's.

    The bits of floating-point numbers, read as whole numbers, have the numbers' order: Bruce Dawson, "Comparing Floating Point
    Numbers, 2012 Edition". From −0 to +0 it is a step.
    """
    one, other = _ordered(left), _ordered(right)
    return np.maximum(one, other) - np.minimum(one, other)


def _ordered(values: Array) -> Array:
    """Return whole numbers of the same width, in the order of the values: from the largest negative one to the largest."""
    size = values.dtype.itemsize
    spare = 8 * size - int(ml_dtypes.finfo(values.dtype).bits)  # of types below a byte, which have one each
    bits = np.ascontiguousarray(values).view(f"u{size}")
    bits = bits << spare if spare else bits
    # All bits of negative numbers are turned over, of others the sign alone.
    turned = (bits.view(f"i{size}") >> (8 * size - 1)).view(bits.dtype) | bits.dtype.type(1 << (8 * size - 1))
    found: Array = bits ^ turned
    return found >> spare if spare else found
