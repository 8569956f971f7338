"""The text of `diff`: the verdict, every tensor that differs, worst first, and counts by kind."""

import math
from collections.abc import Iterator, Sequence

from ckptcheck.counts import counted
from ckptcheck.filetools.diff import VALUE, WORDS, CheckpointDiff, TensorDiff
from ckptcheck.filetools.tables import PLURALS, columns, heading, number, shaped, wrapped

_COLUMNS = ("name", "kind", "differ", "|B−A|", "at", "÷ max |A|", "÷ |A|", "ULP")
_NUMBERS = """\
The same shapes in the same order under different numbers, compared below by
their names in A:"""
_VALUES = """\
Different values, worst first. Largest difference over all elements: |B−A|, and
its index; as a share of the largest |A|; as a share of |A| at the same index;
in units in the last place (ULP)."""


def text(diff: CheckpointDiff, wide: int | None) -> Iterator[str]:
    """Yield the lines; for `wide` see `columns`."""
    yield from heading(diff.a, wide, "A  ")
    yield from heading(diff.b, wide, "B  ")
    yield ""
    yield from wrapped(_verdict(diff), wide)
    for line in _tolerance(diff):
        yield from wrapped(line, wide)
    if diff.same:
        return
    for letter, entries in (("A", diff.only_a), ("B", diff.only_b)):
        rows = [
            [entry.shown, entry.kind.value, shaped(entry.type, entry.shape)] for entry in entries
        ]
        yield from _section(f"Only in {letter}:", ("name", "kind", "type"), rows, 3, wide)
    names = [[pair.a.shown, pair.b.shown] for pair in diff.renamed]
    yield from _section("Renamed, with the same value:", ("A", "B"), names, 2, wide)
    numbers = [[pair.a.shown, pair.b.shown] for pair in diff.renumbered]
    yield from _section(_NUMBERS, ("A", "B"), numbers, 2, wide)
    unlike = [pair for pair in diff.different if pair.what != VALUE]
    types = [
        [pair.a.shown, *(shaped(entry.type, entry.shape) for entry in (pair.a, pair.b))]
        for pair in unlike
    ]
    yield from _section("Different type or shape:", ("name", "A", "B"), types, 3, wide)
    values = [pair for pair in diff.different if pair.what == VALUE]
    yield from _section(_VALUES, _COLUMNS, [_row(pair) for pair in values], 2, wide)
    for pair in values:
        if pair.value_origin:
            line = f"In B, {pair.a.shown} has the value that {pair.value_origin} has in A."
            yield from wrapped(line, wide, 4)
    yield ""
    rows = [
        [PLURALS[kind], *(f"{counts[word]:,}" for word in WORDS)]
        for kind, counts in diff.of_kinds().items()
    ]
    yield from columns(("kind", *WORDS), rows, 1, wide)


def _section(
    title: str, headers: Sequence[str], rows: Sequence[Sequence[str]], left: int, wide: int | None
) -> Iterator[str]:
    if rows:
        yield ""
        yield from title.splitlines()
        yield from columns(headers, rows, left, wide)


def _verdict(diff: CheckpointDiff) -> str:
    if diff.same:
        return f"Same: {counted(len(diff.pairs), 'tensor')} compared, all equal."
    places = (
        (diff.renamed, "renamed"),
        (diff.renumbered, "under different numbers"),
        (diff.only_a, "only in A"),
        (diff.only_b, "only in B"),
    )
    parts = [f"{len(tensors):,} {where}" for tensors, where in places if tensors]
    if diff.different:
        both = f"{counted(len(diff.pairs), 'tensor')} in both checkpoints"
        parts.insert(0, f"{len(diff.different):,} of {both}")
    return f"Different: {', '.join(parts)}."


def _tolerance(diff: CheckpointDiff) -> Iterator[str]:
    asked = [
        " ".join(
            filter(
                None,
                [
                    "all tensors" if kind is None else PLURALS[kind],
                    own.text,
                    "NaN=NaN" if own.equal_nan else "",
                ],
            )
        )
        for kind, own in diff.tolerance.items()
        if own.text or own.equal_nan
    ]
    if asked:
        yield f"Tolerance: {'; '.join(asked)}."


def _row(pair: TensorDiff) -> list[str]:
    difference = pair.difference
    assert difference is not None
    where = f"[{','.join(map(str, difference.at))}]" if difference.at else ""
    absolute = (
        f"{difference.nan:,} NaN"
        if difference.nan
        else number(difference.absolute).replace("inf", "∞") or "–"
    )
    ulp = (
        ""
        if difference.ulp is None
        else f"{difference.ulp:,}"
        if difference.ulp < 10**7
        else f"{difference.ulp:.1e}"
    )
    differ = f"{difference.differing:,}/{pair.a.elements:,}"
    shares = [_share(difference.share), _share(difference.relative)]
    return [pair.a.shown, pair.a.kind.value, differ, absolute, where, *shares, ulp]


def _share(value: float | None) -> str:
    return (
        "" if value is None or math.isnan(value) else "∞" if math.isinf(value) else f"{value:.2g}"
    )
