"""The element types that a bundle can hold, by their numbers in `tensorflow/core/framework/types.proto`."""

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np


@dataclass(frozen=True)
class Type:
    """An element type: TensorFlow's name of it, and NumPy's type of its elements on disk; None: they have no fixed size."""

    name: str
    numpy: np.dtype[Any] | None


STRING, RESOURCE, VARIANT = Type("string", None), Type("resource", None), Type("variant", None)


def _of(*names: str) -> list[Type]:
    return [Type(name, np.dtype(getattr(ml_dtypes, name, None) or name)) for name in names]


def _quantised(*names: str) -> list[Type]:
    return [Type(name, np.dtype(name.removeprefix("q"))) for name in names]


# Number 0 stands for no type at all. Elements below a byte have one each.
_BY_NUMBER: tuple[Type | None, ...] = (
    None,
    *_of("float32", "float64", "int32", "uint8", "int16", "int8"),
    STRING,
    *_of("complex64", "int64", "bool"),
    *_quantised("qint8", "quint8", "qint32"),
    *_of("bfloat16"),
    *_quantised("qint16", "quint16"),
    *_of("uint16", "complex128", "float16"),
    *(RESOURCE, VARIANT),
    *_of("uint32", "uint64"),
    *_of("float8_e5m2", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2fnuz"),
    *_of("int4", "uint4", "int2", "uint2", "float4_e2m1fn"),
)


def type_of(number: int) -> Type | None:
    """Return the type of a number, or None where there is no such type."""
    return _BY_NUMBER[number] if 0 <= number < len(_BY_NUMBER) else None
