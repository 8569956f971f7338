"""How far two values may be apart and still count as equal, where somebody asks for that."""

import math
from dataclasses import dataclass

import numpy as np

from ckptcheck.arrays import Array, as_float, is_inexact
from ckptcheck.errors import UsageError


@dataclass(frozen=True)
class Tolerance:
    """How far two floating-point values may be apart and still count as equal: |resumed − control| ≤ atol + rtol · |control|.

    `equal_nan`: whether two NaNs at the same place are equal, whatever their bits. Whole numbers, text and flags have no
    tolerance.
    """

    rtol: float = 0.0
    atol: float = 0.0
    equal_nan: bool = False

    def __post_init__(self) -> None:
        if not (0 <= self.rtol < 1 and 0 <= self.atol < math.inf):
            raise UsageError(
                f"A tolerance is not negative, and rtol is below 1; asked for were rtol={self.rtol:g} and atol={self.atol:g}."
            )

    @property
    def text(self) -> str:
        """The tolerance as one asks for it; empty where nothing was asked for."""
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
