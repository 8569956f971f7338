"""Numbers as JSON can hold them."""

import math


def or_text(value: float | None) -> float | str | None:
    """Return a number, or what it is called where JSON has no such number: nan, inf, -inf."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
