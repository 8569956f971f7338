"""What counts as equal."""

import math

import pytest

from ckptcheck.comparison.equality import STRICT, Equality
from ckptcheck.tolerance import Tolerance

WIDE = Equality(Tolerance(rtol=0.01))


@pytest.mark.parametrize(
    ("equality", "control", "resumed", "equal"),
    [
        (STRICT, 0.1, 0.1, True),
        (STRICT, 0.1, math.nextafter(0.1, 1), False),
        (STRICT, 0.0, -0.0, False),
        (STRICT, None, None, True),
        (STRICT, None, 0.1, False),
        (STRICT, 0.1, None, False),
        (STRICT, math.nan, math.nan, True),  # whatever NaN is to count for elsewhere
        (STRICT, math.nan, 0.1, False),
        (STRICT, math.inf, math.inf, True),
        (WIDE, 0.1, 0.1005, True),
        (WIDE, 0.1, 0.102, False),
        (WIDE, 0.1, None, False),
        (WIDE, 0.1, math.nan, False),
    ],
)
def test_settings(
    equality: Equality, control: float | None, resumed: float | None, equal: bool
) -> None:
    assert equality.of_settings(control, resumed) is equal


def test_which_names_each_pattern_leaves_out() -> None:
    equality = Equality(left_out=("w*", "*/mean", "none?"))
    assert equality.matches(name for name in ("w", "w/mean", "layer/mean", "W")) == {
        "w*": ("w", "w/mean"),
        "*/mean": ("w/mean", "layer/mean"),
        "none?": (),
    }
    assert STRICT.matches(["w"]) == {}
