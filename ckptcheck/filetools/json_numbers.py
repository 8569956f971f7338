"""Numbers in JSON."""

import math


def or_text(value: float | None) -> float | str | None:
    """Return a number, or the string nan, inf or -inf, which JSON has no number for."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
