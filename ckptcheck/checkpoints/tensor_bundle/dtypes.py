"""The element types of a bundle, by their numbers in `tensorflow/core/framework/types.proto`."""

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np


@dataclass(frozen=True)
class Type:
    """An element type: TensorFlow's name, and NumPy's type on disk, None if the size varies."""

    name: str
    numpy: np.dtype[Any] | None


VARIANT = "variant"

# In the order of their numbers, from 1; 0 means no type.
_NAMES = f"""
    float32 float64 int32 uint8 int16 int8 string complex64 int64 bool qint8 quint8 qint32 bfloat16
    qint16 quint16 uint16 complex128 float16 resource {VARIANT} uint32 uint64 float8_e5m2
    float8_e4m3fn float8_e4m3fnuz float8_e4m3b11fnuz float8_e5m2fnuz int4 uint4 int2 uint2
    float4_e2m1fn
"""


def _type(name: str) -> Type:
    if name in ("string", "resource", VARIANT):
        return Type(name, None)
    # Elements smaller than a byte take one byte each; quantised ones are stored as integers.
    return Type(name, np.dtype(getattr(ml_dtypes, name, None) or name.removeprefix("q")))


BY_NUMBER = dict(enumerate(map(_type, _NAMES.split()), start=1))
