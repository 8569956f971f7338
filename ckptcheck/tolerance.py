"""How far two values may be apart and still count as equal."""

import math
from dataclasses import dataclass

import numpy as np

from ckptcheck.arrays import Array, as_float, is_inexact
from ckptcheck.errors import UsageError


@dataclass(frozen=True)
class Tolerance:
    """How far two floating-point values may be apart and still count as equal.

    Two values are equal if |resumed − control| ≤ atol + rtol · |control|. Integers, text and
    booleans have no tolerance.

    Attributes:
        rtol: The relative tolerance, from 0 to below 1.
        atol: The absolute tolerance, from 0.
        equal_nan: Whether two NaNs at the same place are equal, whatever their bits.

    Raises:
        UsageError: A tolerance is negative or not finite, or `rtol` is 1 or more.
    """

    rtol: float = 0.0
    atol: float = 0.0
    equal_nan: bool = False

    def __post_init__(self) -> None:
        if not (0 <= self.rtol < 1 and 0 <= self.atol < math.inf):
            raise UsageError(
                f"rtol={self.rtol:g} and atol={self.atol:g} are not valid tolerances: rtol must be "
                "at least 0 and below 1, atol at least 0 and finite."
            )

    @property
    def text(self) -> str:
        """The tolerance as `rtol=… atol=…`; empty where it is exact."""
        return " ".join(
            f"{name}={value:g}"
            for name, value in (("rtol", self.rtol), ("atol", self.atol))
            if value
        )

    def allows(self, control: Array, resumed: Array) -> bool:
        """Return whether two arrays of one dtype and shape are equal within the tolerance."""
        if not (self.rtol or self.atol) or not is_inexact(control.dtype):
            return False
        left, right = as_float(control), as_float(resumed)
        with np.errstate(invalid="ignore", over="ignore"):
            return bool(
                np.isclose(
                    right, left, rtol=self.rtol, atol=self.atol, equal_nan=self.equal_nan
                ).all()
            )


EXACT = Tolerance()
