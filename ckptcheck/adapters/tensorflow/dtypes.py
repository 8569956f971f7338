"""The kind of a variable's elements."""

from typing import Any

import tensorflow as tf


def letter_of(variable: Any) -> str:
    """Return NumPy's letter for the kind of a variable's elements; empty for text.

    The letter of bfloat16 is that of any other float.
    """
    dtype = tf.as_dtype(variable.dtype).base_dtype
    if dtype.is_integer:
        return "i"
    if dtype.is_bool:
        return "b"
    return "f" if dtype.is_floating or dtype.is_complex else ""
