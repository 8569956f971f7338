"""The tolerances of `diff` on the command line: a number for all tensors, or for a kind."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ckptcheck.errors import UsageError, unknown
from ckptcheck.kinds import Kind
from ckptcheck.tolerance import EXACT, Tolerance


def tolerances(
    rtol: Sequence[str], atol: Sequence[str], equal_nan: bool
) -> tuple[Tolerance, Mapping[Kind, Tolerance]]:
    """Parse `1e-6` and `slot=1e-6`; a kind without its own value has that of all tensors."""
    overall = replace(EXACT, equal_nan=equal_nan)
    given = [
        (name, *_read(name, text))
        for name, texts in (("rtol", rtol), ("atol", atol))
        for text in texts
    ]
    for name, kind, value in given:
        if kind is None:
            overall = _with(overall, name, value)
    by_kind: dict[Kind, Tolerance] = {}
    for name, kind, value in given:
        if kind is not None:
            by_kind[kind] = _with(by_kind.get(kind, overall), name, value)
    return overall, by_kind


def _with(tolerance: Tolerance, name: str, value: float) -> Tolerance:
    return replace(tolerance, rtol=value) if name == "rtol" else replace(tolerance, atol=value)


def _read(name: str, text: str) -> tuple[Kind | None, float]:
    kind, equals, value = text.rpartition("=")
    try:
        number = float(value)
    except ValueError:
        raise UsageError(
            f"--{name} {text!r} is neither a number, such as 1e-6, nor a kind and a number, "
            "such as slot=1e-6."
        ) from None
    if not equals:
        return None, number
    known = {member.value.replace(" ", "-"): member for member in Kind}
    wanted = kind.strip().replace(" ", "-").replace("_", "-")
    if wanted not in known:
        raise unknown("kind of tensor", kind, known)
    return known[wanted], number
